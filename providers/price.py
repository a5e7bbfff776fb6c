"""A price: what one deployment's tokens cost, in whole nano-dollars per million tokens."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

NANOUSD_PER_USD = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Linear token prices. An unknown price is no `Price` at all, never one of zeros; zero means free."""

    input_nanousd_per_mtok: int
    """For a million input tokens, those of the prompt cache apart. 1 USD is 10^9."""
    output_nanousd_per_mtok: int
    """For a million output tokens, reasoning included; 0 for models that only read, such as embeddings."""
    cached_input_nanousd_per_mtok: int | None = None
    """For a million input tokens read from the cache; None: they cost what other input costs."""
    cache_write_nanousd_per_mtok: int | None = None
    """For a million input tokens written to the cache; None: they cost what other input costs."""
    cache_write_1h_nanousd_per_mtok: int | None = None
    """For a million input tokens written to the cache for an hour; None: they cost what other cache writes cost."""
    max_prompt_tokens: int | None = None
    """The longest prompt, cached tokens included, for which these figures hold; None: any length. Many
    vendors charge a whole call dearer once its prompt passes a threshold: see `PriceBook.price`."""
    table: str = field(default="config", compare=False)
    """Which table names it, with its version, so that what was charged can be told and computed again."""

    def covers(self, prompt_tokens: int) -> bool:
        """Tell whether the figures hold for a call with this many input tokens."""
        return self.max_prompt_tokens is None or prompt_tokens <= self.max_prompt_tokens


def nanousd_per_mtok(usd_per_mtok: Decimal) -> int:
    """Convert dollars per million tokens, exactly; fractions of a nano-dollar are rounded half to even.

    Raises ValueError for a negative or non-finite amount.
    """
    if not usd_per_mtok.is_finite() or usd_per_mtok < 0:
        raise ValueError(f"a price must be a finite amount of at least 0, not {usd_per_mtok}")
    return int((usd_per_mtok * NANOUSD_PER_USD).to_integral_value(ROUND_HALF_EVEN))
