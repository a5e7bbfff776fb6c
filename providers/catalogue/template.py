"""An address template: `https://api.{region}.example.com/v1`, to be filled with settings."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from providers.catalogue.setting import Setting, SettingKind

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_WHOLE_HOST = re.compile(r"(?:https://)?\{([a-z][a-z0-9_]*)\}(?:/|$)")
_LOOPBACK = ("localhost", "127.0.0.1")


def placeholders(template: str, settings: Sequence[Setting]) -> tuple[str, ...]:
    """Name the settings that a template needs; `{host}` needs the one that chooses the host."""
    chooser = _chooser(settings)
    found = (chooser.name if name == "host" and chooser else name for name in _PLACEHOLDER.findall(template))
    return tuple(dict.fromkeys(found))


def filled(template: str, settings: Sequence[Setting], values: Mapping[str, str]) -> str | None:
    """Put checked values into a template; None where one is missing."""
    if any(name not in values for name in placeholders(template, settings)):
        return None
    known = dict(values)
    if chooser := _chooser(settings):
        chosen = known.get(chooser.name, "")
        known["host"] = chooser.hosts.get(chosen, chooser.hosts["*"]).replace(f"{{{chooser.name}}}", chosen)
    return _PLACEHOLDER.sub(lambda match: known[match[1]], template)


def is_whole_host(template: str, settings: Sequence[Setting]) -> bool:
    """Tell whether a setting gives the whole host, so that it may be anybody's server."""
    match = _WHOLE_HOST.match(template)
    kinds = {setting.name: setting.kind for setting in settings}
    return match is not None and kinds.get(match[1]) in (SettingKind.ADDRESS, SettingKind.HOST)


def check_address(template: str, settings: Sequence[Setting], *, local: bool) -> None:
    """Raise ValueError for a template that does not lead to one server over https, or to this machine (`local`)."""
    known = {setting.name: setting for setting in settings}
    for name in placeholders(template, settings):
        if name not in known:
            raise ValueError(f"{{{name}}} stands for no setting of the row")
        if known[name].secret or known[name].kind is SettingKind.TEXT:
            raise ValueError(f"the setting {name!r} cannot be a part of an address: give it a kind, and no secret")
    given = template.startswith("{") and is_whole_host(template, settings)
    parts = urlsplit(_PLACEHOLDER.sub("x", f"https://{template}" if given else template))
    on_loopback = local and parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or "{" in parts.geturl() or template.endswith("/"):
        raise ValueError("should be an address without a trailing slash")
    if parts.scheme != "https" and not on_loopback:
        raise ValueError("should be an https address")


def _chooser(settings: Sequence[Setting]) -> Setting | None:
    """The setting whose value chooses the host; at most one has hosts."""
    return next((setting for setting in settings if setting.hosts), None)
