"""What else a provider must be told: the settings of its row, from the entry, the environment, or the row itself."""

import re
from collections.abc import Iterable, Mapping

from providers.catalogue import ProviderRow, Setting, SettingKind
from router.config_error import ConfigError, dotted
from router.provider_schema import ProviderConfig
from router.suggestion import or_one_of
from router.values import base_url

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_PATTERNS: Mapping[SettingKind, tuple[re.Pattern[str], str]] = {
    SettingKind.LABEL: (re.compile(_LABEL), "should be letters, digits and hyphens, such as eu-west-1"),
    SettingKind.HOST: (re.compile(rf"{_NAME}(?:\.{_NAME})*"), "should be a host name"),
    SettingKind.SEGMENT: (re.compile(r"(?!\.)[A-Za-z0-9._:~-]+"), "should be letters, digits and . _ : ~ -"),
}


def plain_settings(name: str, entry: ProviderConfig, row: ProviderRow, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that are no secrets, those of the row's constants included. Raises ConfigError.

    What is missing is left out: only the address and the calls know what they need.
    """
    _refuse_unknown(name, entry, row)
    given = entry.given()
    found = {}
    for setting in row.settings:
        if not setting.secret:
            value = _value(setting, name, given, environ)
            if value is not None:
                found[setting.name] = value
            elif setting.required:
                raise _missing(name, setting)
    return found | row.constants


def own_secrets(entry: ProviderConfig, row: ProviderRow) -> tuple[tuple[str, str], ...]:
    """Return what the entry itself says of a credential that is no key."""
    given = entry.given()
    return tuple((each.name, given[each.name]) for each in row.settings if each.secret and given.get(each.name))


def names_identity(entry: ProviderConfig, row: ProviderRow) -> bool:
    """Tell whether the entry itself chooses the identity that signs its calls."""
    given = entry.given()
    return any(setting.identity and given.get(setting.name) for setting in row.settings)


def found_secrets(row: ProviderRow, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what the environment says of a credential that is no key."""
    held = ((setting.name, first_set(setting.env, environ)) for setting in row.settings if setting.secret)
    return tuple((name, environ[variable].strip()) for name, variable in held if variable is not None)


def first_set(variables: Iterable[str], environ: Mapping[str, str]) -> str | None:
    """Return the first variable that holds something, None where none does."""
    return next((variable for variable in variables if environ.get(variable, "").strip()), None)


def _refuse_unknown(name: str, entry: ProviderConfig, row: ProviderRow) -> None:
    known = [setting.name for setting in row.settings]
    for given in entry.given():
        if given not in known:
            message = f"providers of type {row.id} have no setting '{given}'"
            where = ("providers", name, "settings", given) if given in entry.settings else ("providers", name, given)
            raise ConfigError(dotted(where), message, or_one_of(given, known) if known else "remove it")


def _value(setting: Setting, name: str, given: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    if given.get(setting.name):
        return _checked(setting, given[setting.name], dotted(("providers", name, setting.name)), "")
    variable = first_set(setting.env, environ)
    if variable is not None:
        return _checked(setting, environ[variable], "", f"the environment variable {variable} ")
    return setting.default


def _checked(setting: Setting, value: str, path: str, subject: str) -> str:
    text = value.strip().removeprefix("https://").rstrip("/") if setting.kind is SettingKind.HOST else value.strip()
    if setting.kind is SettingKind.ADDRESS:
        try:
            return base_url(text)
        except ValueError as error:
            raise ConfigError(path, f"{subject}{error}") from None
    if setting.kind in _PATTERNS:
        pattern, message = _PATTERNS[setting.kind]
        if not pattern.fullmatch(text):
            raise ConfigError(path, f"{subject}{message}")
    return text


def _missing(name: str, setting: Setting) -> ConfigError:
    advice = " or ".join((setting.name, *setting.env))
    return ConfigError(dotted(("providers", name, setting.name)), "is required", f"set {advice}")
