"""A provider as this installation reaches it: its address, its credential, its bounds.

The rules about keys are rules about where a key may travel. The catalogue's variable for a vendor (OPENAI_API_KEY) is
sent only to that vendor's own address, or to an address that the operator must give because the vendor has none. A
config entry that points a known type at another server sends only the key that is written in that entry.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from providers.catalogue import Auth, ProviderRow
from providers.completion import Target
from providers.price import Price
from router.config_error import ConfigError, dotted
from router.schema import ProviderConfig
from router.values import credential

_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".svc", ".home.arpa", ".test")


@dataclass(frozen=True, slots=True)
class Connection:
    """One switched-on provider."""

    target: Target
    """What every call to this provider shares; its `model` is empty."""
    pricing_id: str | None
    """The provider's id in the price book; None when it is not there, or the address is not the vendor's."""
    max_parallel_requests: int
    prices: Mapping[str, Price]
    """Prices by the provider's model name: those of the catalogue row, then those of the configuration over them."""

    def to(self, model: str) -> Target:
        """The target of one model at this provider."""
        return replace(self.target, model=model)


def connect(
    name: str, entry: ProviderConfig, row: ProviderRow, *, environ: Mapping[str, str], timeout_ms: int
) -> Connection:
    """Join a config entry with its catalogue row. Raises ConfigError when the address or the key is missing.

    `timeout_ms` is the total time of a call unless the entry has its own.
    """
    base_url = _address(name, entry, row, environ)
    api_key = _credential(name, entry, row, environ)
    if api_key and not entry.allow_http and not _is_guarded(base_url):
        message = "the key would travel over plain http to a host that is not private"
        raise ConfigError(_path(name, "base_url"), message, "use https, or set allow_http: true")
    target = Target(
        provider=name,
        dialect=row.dialect,
        base_url=base_url,
        model="",
        api_key=api_key,
        headers=tuple((header, value.get_secret_value()) for header, value in entry.headers.items()),
        quirks=frozenset(row.quirks),
        connect_timeout_ms=entry.connect_timeout_ms,
        total_timeout_ms=entry.timeout_ms or timeout_ms,
    )
    own_prices = {model: price.price() for model, price in entry.prices.items()}
    if _is_elsewhere(entry, row):
        return Connection(target, None, entry.max_parallel_requests, own_prices)
    listed = {model: price.price() for model, price in row.models.items()}
    return Connection(target, row.pricing_id, entry.max_parallel_requests, listed | own_prices)


def is_switched_on(row: ProviderRow, environ: Mapping[str, str]) -> bool:
    """Say whether the environment alone switches a provider on: by its key, or by the address of a local server."""
    if row.base_url is None:
        return row.auth is not Auth.BEARER and bool(environ.get(address_variable(row)))
    return _set_variable(row, environ) is not None


def address_variable(row: ProviderRow) -> str:
    """The variable that gives the address of a server that has none of its own, e.g. LANEWAY_SIMULATOR_URL."""
    return f"LANEWAY_{row.id.upper()}_URL"


def _address(name: str, entry: ProviderConfig, row: ProviderRow, environ: Mapping[str, str]) -> str:
    address = entry.base_url or row.base_url or environ.get(address_variable(row))
    if not address:
        message = f"providers of type {row.id} have no address of their own"
        raise ConfigError(_path(name, "base_url"), message, f"set base_url or {address_variable(row)}")
    return address.rstrip("/")


def _credential(name: str, entry: ProviderConfig, row: ProviderRow, environ: Mapping[str, str]) -> str | None:
    if entry.api_key is not None and entry.api_key.get_secret_value():
        return entry.api_key.get_secret_value()
    if _is_elsewhere(entry, row):
        return None
    variable = _set_variable(row, environ)
    if variable is not None:
        return _checked(variable, environ[variable])
    if row.auth is not Auth.BEARER:
        return None
    variables = " or ".join(row.key_env)
    advice = f"set {variables}, or api_key" if variables else "set api_key"
    raise ConfigError(_path(name, "api_key"), "no key for this provider", advice)


def _set_variable(row: ProviderRow, environ: Mapping[str, str]) -> str | None:
    return next((variable for variable in row.key_env if environ.get(variable, "").strip()), None)


def _checked(variable: str, value: str) -> str:
    try:
        return credential(value)
    except ValueError as error:
        raise ConfigError("", f"the environment variable {variable} {error}") from None


def _is_elsewhere(entry: ProviderConfig, row: ProviderRow) -> bool:
    """The entry points at another server than the one that the vendor's own key belongs to."""
    if entry.base_url is None or row.base_url is None:
        return False
    own, theirs = urlsplit(entry.base_url), urlsplit(row.base_url)
    return (own.scheme, own.netloc.lower()) != (theirs.scheme, theirs.netloc.lower())


def _is_guarded(base_url: str) -> bool:
    """The address is https, or a host that only a private network can reach (or a name that looks like one)."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").lower()
    if parts.scheme == "https" or ("." not in host and ":" not in host) or host.endswith(_PRIVATE_SUFFIXES):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _path(name: str, key: str) -> str:
    return dotted(("providers", name, key))
