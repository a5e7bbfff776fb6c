"""A catalogue row: one provider as data - where it is, which key it takes, how it departs from its dialect."""

from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, field_validator

from providers.catalogue.quirk import Quirk
from providers.credential import Auth
from providers.price import Price, nanousd_per_mtok


class Grade(StrEnum):
    """How well a row's address is attested."""

    A = "A"
    """The vendor's own SDK or documents, recorded traffic, or four independent projects."""
    B = "B"
    """Two or three independent projects."""
    C = "C"
    """One project and other public code."""
    OWN = "own"
    """Part of Laneway, or an address that only the config can give."""


class ModelPriceRow(BaseModel):
    """The price of one model, in dollars per million tokens as vendors print it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_usd_per_mtok: Decimal = Field(ge=0)
    output_usd_per_mtok: Decimal = Field(ge=0)
    cached_input_usd_per_mtok: Decimal | None = Field(default=None, ge=0)

    def price(self) -> Price:
        """Return the same price in whole nano-dollars."""
        cached = self.cached_input_usd_per_mtok
        return Price(
            input_nanousd_per_mtok=nanousd_per_mtok(self.input_usd_per_mtok),
            output_nanousd_per_mtok=nanousd_per_mtok(self.output_usd_per_mtok),
            cached_input_nanousd_per_mtok=None if cached is None else nanousd_per_mtok(cached),
        )


class ProviderRow(BaseModel):
    """One provider; the config's `type:` names it by `id`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    name: str = Field(min_length=1)
    """For people: `Mistral AI`."""
    dialect: str
    """Name of its dialect in `providers.dialects`."""
    base_url: str | None
    """https, no trailing slash; None where only the config can say it."""
    key_env: tuple[str, ...] = ()
    """Environment variables that hold its key, the first set one wins, and that switch it on without a config.
    No variable serves two rows. Empty where the variable is ambiguous or generic: then the config must name it."""
    auth: Auth = Auth.BEARER
    quirks: frozenset[Quirk] = frozenset()
    pricing_id: str | None = None
    """Its id in the price book; None where its prices are unknown there."""
    models: dict[str, ModelPriceRow] = Field(default_factory=dict)
    """Prices that the row itself states, by model; they win over the price book."""
    source: Grade
    source_date: str = Field(pattern=r"^\d{4}-\d{2}$")
    """Month in which the row was last checked against its sources."""
    docs_url: str | None = None
    notes: str | None = None
    """For people: regional hosts, habits that need no code."""

    @field_validator("base_url")
    @classmethod
    def _https_without_slash(cls, value: str | None) -> str | None:
        if value is not None and (not value.startswith("https://") or value.endswith("/") or "{" in value):
            raise ValueError("base_url must be a fixed https address without a trailing slash")
        return value
