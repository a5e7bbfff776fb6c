"""Where a provider is: its address, whether that is the vendor's own, whether a key may travel there."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from providers.catalogue import ProviderRow
from providers.catalogue.template import filled, placeholders
from router.config_error import ConfigError, dotted
from router.provider_schema import ProviderConfig

_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".svc", ".home.arpa", ".test")


def address_variable(row: ProviderRow) -> str:
    """The variable that gives the address of a server of one's own, e.g. LANEWAY_SIMULATOR_URL."""
    return f"LANEWAY_{row.id.upper()}_URL"


def address_of(
    name: str, entry: ProviderConfig, row: ProviderRow, settings: Mapping[str, str], environ: Mapping[str, str]
) -> str:
    """Return the address of an entry: its own, that of the variable, that of the row. Raises ConfigError."""
    given = entry.base_url or (environ.get(address_variable(row)) if row.local or row.is_homeless else None)
    if given:
        return given.rstrip("/")
    if row.base_url is None:
        message = f"providers of type {row.id} have no address of their own"
        raise ConfigError(dotted(("providers", name, "base_url")), message, f"set base_url or {address_variable(row)}")
    address = filled(row.base_url, row.settings, settings)
    if address is None:
        raise _incomplete(name, row, settings)
    return address


def is_elsewhere(entry: ProviderConfig, row: ProviderRow, settings: Mapping[str, str]) -> bool:
    """Tell whether an entry points at another server than the one that the vendor's own key belongs to."""
    if entry.base_url is None or row.base_url is None or row.is_homeless:
        return False
    theirs = filled(row.base_url, row.settings, settings)
    return theirs is None or _server(entry.base_url) != _server(theirs)


def check_url(entry: ProviderConfig, row: ProviderRow, base_url: str, settings: Mapping[str, str]) -> str | None:
    """Return what to GET to see whether address and key are right; None where nothing is free to ask.

    An address of the row's own is asked only where the entry has none: its key may belong to another server.
    """
    if row.check is None or row.check.startswith("/"):
        return row.check and base_url + row.check
    return filled(row.check, row.settings, settings) if entry.base_url is None else None


def is_guarded(address: str) -> bool:
    """Tell whether an address is https, or a host that only a private network can reach (or a name that looks so)."""
    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    if parts.scheme == "https" or ("." not in host and ":" not in host) or host.endswith(_PRIVATE_SUFFIXES):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _server(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc.lower()


def _incomplete(name: str, row: ProviderRow, settings: Mapping[str, str]) -> ConfigError:
    missing = next(need for need in placeholders(row.base_url or "", row.settings) if need not in settings)
    setting = row.setting(missing)
    variables = setting.env if setting else ()
    advice = " or ".join(("base_url" if row.is_homeless else missing, *variables))
    where = dotted(("providers", name, "base_url" if row.is_homeless else missing))
    return ConfigError(where, f"the address of {row.id} needs its {missing}", f"set {advice}")
