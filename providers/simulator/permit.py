"""The permit: what the simulator's limits say to one call."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from providers.limit import DAY_MS, MINUTE_MS
from providers.simulator.gauge import Level
from providers.simulator.refusals import Refusal, rate_limited

_WINDOWS: Final[Mapping[int, str]] = MappingProxyType({MINUTE_MS: "minute", DAY_MS: "day"})


@dataclass(frozen=True, slots=True)
class Permit:
    """The answer of all limits together."""

    levels: tuple[Level, ...]
    """Each limit that is set; after the call, if it was granted."""
    granted: bool = True

    def refusal(self, *, tells_wait: bool) -> Refusal:
        """Return the 429 of a call that was not granted: it names the limit that the call waits for longest."""
        level = max(self.levels, key=lambda level: level.wait_ms)
        what = f"{level.limit.amount} {level.limit.measure.replace('_', ' ')} a {_WINDOWS[level.limit.window_ms]}"
        if not tells_wait:
            return rate_limited(f"Rate limit reached: {what}.")
        return rate_limited(f"Rate limit reached: {what}. Try again in {level.wait_ms}ms.", level.wait_ms)
