"""The kind of a provider: the catalogue's row that a config entry means, or the row that it is itself."""

from collections.abc import Iterable, Mapping

from providers.catalogue import Auth, Grade, ProviderRow, aliases
from providers.dialects import dialect_names
from router.config_error import ConfigError, dotted
from router.provider_address import address_variable
from router.provider_schema import ProviderConfig
from router.suggestion import did_you_mean, or_one_of

_OWN_ROW = "own"


def kind_of(name: str, entry: ProviderConfig, catalogue: Mapping[str, ProviderRow]) -> ProviderRow:
    """Return the row of an entry. Raises ConfigError for a type or a dialect that is not known."""
    if entry.dialect is not None:
        return _own_row(name, entry, entry.dialect)
    kind, known = entry.type or name, aliases(catalogue)
    if found := catalogue.get(kind) or catalogue.get(known.get(kind, "")):
        return found
    if entry.type is None:
        message = f"'{name}' is no provider of the catalogue"
        suggestion = did_you_mean(name, [*catalogue, *known]) or "set type, or dialect and base_url"
        raise ConfigError(dotted(("providers", name)), message, suggestion)
    raise ConfigError(dotted(("providers", name, "type")), f"there is no type '{kind}'", or_listed(kind, catalogue))


def or_listed(word: str, catalogue: Mapping[str, ProviderRow], more: Iterable[str] = ()) -> str:
    """Say `did you mean 'x'?` of the catalogue's names, or where they are listed: they are too many for a line."""
    found = did_you_mean(word, [*more, *catalogue, *aliases(catalogue)])
    return found or "`laneway providers list --all` shows what there is"


def way_to_switch_on(row: ProviderRow) -> str:
    """Say what switches a provider on, in a sentence."""
    needed = [setting.env[0] for setting in row.settings if setting.name in row.needed() and not setting.default]
    if row.key_env and all(needed):
        return f"Set {' and '.join((row.key_env[0], *needed))} to use {row.id}."
    if row.is_keyless and (row.local or row.is_homeless):
        return f"Set {address_variable(row)}, or name it under providers in the configuration, to use {row.id}."
    return f"Name it under providers in the configuration to use {row.id}."


def _own_row(name: str, entry: ProviderConfig, dialect: str) -> ProviderRow:
    if dialect not in dialect_names():
        where = dotted(("providers", name, "dialect"))
        raise ConfigError(where, f"there is no dialect '{dialect}'", or_one_of(dialect, dialect_names()))
    return ProviderRow(
        id=_OWN_ROW,
        name=name,
        dialect=dialect,
        base_url=None,
        auth=entry.auth or Auth.BEARER_OPTIONAL,
        auth_name=(entry.auth_name or "").lower(),
        source=Grade.OWN,
        source_date=None,
    )
