"""A model row: facts about the models whose names match a pattern."""

import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, field_validator

from providers.catalogue.model_trait import ModelTrait


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of one model."""

    traits: frozenset[ModelTrait] = frozenset()
    max_output_tokens: int | None = None
    """The most that it writes in one answer; None where that is unknown."""


class ModelRow(BaseModel):
    """One pattern and what holds for every name in which it is found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    """For people: `Claude 4.5`."""
    pattern: str
    """A regular expression, searched for anywhere in the name: providers put regions and vendors before it."""
    traits: frozenset[ModelTrait] = frozenset()
    max_output_tokens: int | None = Field(default=None, gt=0)
    source: str = Field(min_length=1)
    """What the facts were taken from."""
    source_date: str = Field(pattern=r"^\d{4}-\d{2}$")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return value
