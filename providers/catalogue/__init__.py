"""The catalogue: every provider that is known by name, as checked data. A new one is a row and no code."""

from collections.abc import Iterator, Mapping
from importlib.resources import files

import orjson
from pydantic import TypeAdapter

from providers.catalogue.capability import Capabilities, NativeBatch
from providers.catalogue.model_trait import ModelTrait
from providers.catalogue.quirk import Quirk
from providers.catalogue.row import Grade, ModelPriceRow, ProviderRow
from providers.catalogue.setting import Setting, SettingKind
from providers.credential import Auth

__all__ = [
    "Auth",
    "Capabilities",
    "Grade",
    "ModelPriceRow",
    "ModelTrait",
    "NativeBatch",
    "ProviderRow",
    "Quirk",
    "Setting",
    "SettingKind",
    "aliases",
    "load_catalogue",
]


def load_catalogue() -> dict[str, ProviderRow]:
    """Read the rows that ship with the package, by id. Reads the files anew each time: keep the result.

    Raises ValueError, naming file and row, when the data breaks the schema or repeats a name or a key variable.
    """
    rows: dict[str, ProviderRow] = {}
    taken: dict[str, str] = {}
    adapter = TypeAdapter(list[ProviderRow])
    for file in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".json"):
            for row in adapter.validate_python(orjson.loads(file.read_bytes())):
                for claim in _claims(row):
                    if claim in taken:
                        raise ValueError(f"{file.name}: {claim} is claimed by {taken[claim]!r} and {row.id!r}")
                    taken[claim] = row.id
                rows[row.id] = row
    return rows


def aliases(rows: Mapping[str, ProviderRow]) -> dict[str, str]:
    """Return the id that each alias stands for."""
    return {alias: row.id for row in rows.values() for alias in row.aliases}


def _claims(row: ProviderRow) -> Iterator[str]:
    """What no two rows may have: a name, and a variable that switches a provider on."""
    yield row.id
    yield from row.aliases
    yield from row.key_env
