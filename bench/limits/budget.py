"""The budget: what a simulated provider allows a minute, how it counts, and what it tells of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from bench.limits.stand import Provider
from providers.limit import MINUTE_MS

BURST_SHARE: Final = 0.01
"""Share of a minute's budget that a bucket holds."""
_LATENCY_MS: Final = "100-300"


class Unit(StrEnum):
    """What is counted, as Laneway's configuration names it."""

    REQUESTS = "rpm"
    TOKENS = "tpm"


@dataclass(frozen=True, slots=True)
class Budget:
    """One provider's limit."""

    unit: Unit
    per_minute: int
    window: Literal["sliding", "bucket"]
    told: bool
    """Whether answers carry headers of the limit, and refusals say how long to wait."""
    counts_tokens: Literal["used", "asked"] = "used"

    @property
    def counter(self) -> str:
        """The simulator's counter of what was accepted."""
        return "accepted" if self.unit is Unit.REQUESTS else "tokens"

    @property
    def peak_counter(self) -> str:
        """The simulator's name of the same among its maxima."""
        return "requests" if self.unit is Unit.REQUESTS else "tokens"

    def allowed(self, duration_s: float) -> float:
        """How much may be used in this time."""
        return self.per_minute * duration_s * 1_000 / MINUTE_MS

    def provider(self, *, configured: bool, latency_ms: str = _LATENCY_MS) -> Provider:
        """Return a provider that keeps to the budget; Laneway is told of it if `configured`."""
        name = "--requests-per-minute" if self.unit is Unit.REQUESTS else "--tokens-per-minute"
        flags = [name, str(self.per_minute), "--limit-window", self.window, "--burst-share", str(BURST_SHARE)]
        flags += ["--counts-tokens", self.counts_tokens, "--latency-ms", latency_ms]
        if not self.told:
            flags += ["--limit-headers", "none", "--retry-after", "false"]
        return Provider(flags, {self.unit: self.per_minute} if configured else {}, self.counts_tokens)
