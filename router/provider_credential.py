"""The credential of a provider: which one, where it was found, and whether it may travel to the address."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from providers.catalogue import Auth, ProviderRow
from providers.credential import KEYLESS, SIGNED
from router.config_error import ConfigError, dotted
from router.provider_schema import ProviderConfig
from router.provider_settings import first_set, found_secrets, names_identity, own_secrets
from router.values import credential

MACHINE = "this machine"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a call shows for who calls."""

    auth: Auth
    source: str | None
    """A variable, a path of the config or this machine (its identity in a cloud); None where there is none."""
    api_key: str | None = field(default=None, repr=False)
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def credential_of(
    name: str, entry: ProviderConfig, row: ProviderRow, environ: Mapping[str, str], *, elsewhere: bool
) -> Credential:
    """Choose the credential of an entry: its own before all others. Raises ConfigError where one is needed.

    `elsewhere` says that the address is not the vendor's: then nothing of the environment or the machine is sent.
    """
    auth = entry.auth or row.auth
    if entry.api_key is not None and entry.api_key.get_secret_value():
        return Credential(auth, dotted(("providers", name, "api_key")), entry.api_key.get_secret_value())
    own = own_secrets(entry, row)
    if own or names_identity(entry, row):
        return Credential(auth, dotted(("providers", name, "settings")), secrets=own)
    if elsewhere:
        return Credential(Auth.NONE if auth in SIGNED else auth, None)
    variable = key_variable(row, environ)
    if variable is not None:
        return Credential(auth, variable, _checked(variable, environ[variable]))
    if auth in SIGNED:
        return Credential(auth, MACHINE, secrets=found_secrets(row, environ))
    if auth in KEYLESS:
        return Credential(auth, None)
    raise _missing(name, row)


def key_variable(row: ProviderRow, environ: Mapping[str, str]) -> str | None:
    """Return the variable that holds a provider's key, None where none is set."""
    return first_set((*row.key_env, *row.config_key_env), environ)


def _checked(variable: str, value: str) -> str:
    try:
        return credential(value)
    except ValueError as error:
        raise ConfigError("", f"the environment variable {variable} {error}") from None


def _missing(name: str, row: ProviderRow) -> ConfigError:
    variables = " or ".join((*row.key_env, *row.config_key_env))
    advice = f"set {variables}, or api_key" if variables else "set api_key"
    return ConfigError(dotted(("providers", name, "api_key")), "no key for this provider", advice)
