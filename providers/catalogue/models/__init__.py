"""What is known of models: data by pattern on the model's name, whichever provider serves it."""

import re
from functools import cache, lru_cache
from importlib.resources import files

import orjson
from pydantic import TypeAdapter

from providers.catalogue.models.row import ModelFacts, ModelRow

__all__ = ["ModelFacts", "ModelRow", "load_model_rows", "traits_of"]


@lru_cache(maxsize=4096)
def traits_of(model: str) -> ModelFacts:
    """Return what is known of a model, nothing for one that no pattern matches.

    Every row whose pattern is found in the name (case is ignored) counts: traits add up, and the first row that states
    a limit of output states it. So one row may give a trait to a whole family and another the limit of one member.
    """
    found = [row for pattern, row in _patterns() if pattern.search(model)]
    traits = frozenset(trait for row in found for trait in row.traits)
    limits = (row.max_output_tokens for row in found if row.max_output_tokens is not None)
    return ModelFacts(traits, next(limits, None))


def load_model_rows() -> tuple[ModelRow, ...]:
    """Read the rows that ship with the package. Raises ValueError when the data breaks the schema."""
    adapter = TypeAdapter(tuple[ModelRow, ...])
    entries = sorted(files(__name__).iterdir(), key=lambda entry: entry.name)
    data = (orjson.loads(entry.read_bytes()) for entry in entries if entry.name.endswith(".json"))
    return tuple(row for rows in data for row in adapter.validate_python(rows))


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], ModelRow], ...]:
    """The rows with their patterns ready: constant data of the package, read at the first question."""
    return tuple((re.compile(row.pattern, re.IGNORECASE), row) for row in load_model_rows())
