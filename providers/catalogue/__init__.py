"""The catalogue: every provider that is known by name, as checked data. A new one is a row and no code."""

from importlib.resources import files

import orjson
from pydantic import TypeAdapter

from providers.catalogue.quirk import Quirk
from providers.catalogue.row import Grade, ModelPriceRow, ProviderRow
from providers.credential import Auth

__all__ = ["Auth", "Grade", "ModelPriceRow", "ProviderRow", "Quirk", "load_catalogue"]


def load_catalogue() -> dict[str, ProviderRow]:
    """Read the rows that ship with the package, by id. Reads the files anew each time: keep the result.

    Raises ValueError, naming file and row, when the data breaks the schema or repeats an id or a key variable.
    """
    rows: dict[str, ProviderRow] = {}
    adapter = TypeAdapter(list[ProviderRow])
    for file in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".json"):
            for row in adapter.validate_python(orjson.loads(file.read_bytes())):
                _add(rows, row, file.name)
    return rows


def _add(rows: dict[str, ProviderRow], row: ProviderRow, file_name: str) -> None:
    if row.id in rows:
        raise ValueError(f"{file_name}: provider {row.id!r} is in the catalogue twice; remove one row")
    taken = {variable: other.id for other in rows.values() for variable in other.key_env}
    for variable in row.key_env:
        if variable in taken:
            raise ValueError(f"{file_name}: {variable} is claimed by {taken[variable]!r} and {row.id!r}; keep one")
    rows[row.id] = row
