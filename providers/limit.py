"""What a rate limit is: a measure, an amount, a window. And what one call takes out of it."""

from dataclasses import dataclass
from enum import StrEnum

MINUTE_MS = 60_000
DAY_MS = 86_400_000


class Measure(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    """Input and output together."""
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    NANOUSD = "nanousd"
    """Money, in nano-dollars."""
    PARALLEL = "parallel"
    """Calls in flight; the one measure that has no window."""


class TokenCount(StrEnum):
    """What a provider counts of a call's output."""

    USED = "used"
    """What was written."""
    ASKED = "asked"
    """What the request allowed (its `max_tokens`), whatever was written."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so much of something in any window of that length."""

    measure: Measure
    amount: int
    """More than 0."""
    window_ms: int = MINUTE_MS
    """0 for `PARALLEL`."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one call takes: an estimate before it, the truth after it. Each a non-negative integer."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanousd: int = 0

    def __add__(self, other: "Demand") -> "Demand":
        return Demand(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_nanousd + other.cost_nanousd,
        )

    def of(self, measure: Measure) -> int:
        """How much of a measure it takes; 1 for requests and calls in flight."""
        match measure:
            case Measure.REQUESTS | Measure.PARALLEL:
                return 1
            case Measure.TOKENS:
                return self.input_tokens + self.output_tokens
            case Measure.INPUT_TOKENS:
                return self.input_tokens
            case Measure.OUTPUT_TOKENS:
                return self.output_tokens
            case Measure.NANOUSD:
                return self.cost_nanousd


@dataclass(frozen=True, slots=True)
class LimitReading:
    """What one response says of one limit."""

    measure: Measure
    window_ms: int | None
    """The time that the limit counts over; None where the header's name does not say (a minute, most often)."""
    limit: int | None = None
    remaining: int | None = None
    reset_ms: int | None = None
    """How long until the limit is whole again, or has room again: providers differ."""
