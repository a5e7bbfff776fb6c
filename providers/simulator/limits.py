"""The simulator's own rate limit: a token bucket kept as one time stamp.

The bucket holds `burst` calls and fills at `per_minute` calls a minute, as OpenAI's does. Only the time at which it
will be full again is kept (the generic cell rate algorithm), in whole nanoseconds of a steady clock.
"""

from dataclasses import dataclass
from typing import Final

_MINUTE_NS: Final = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Permit:
    """The bucket's answer to one call."""

    granted: bool
    limit: int
    """Calls a minute."""
    remaining: int
    """Calls that would be granted now."""
    wait_ms: int
    """How long until a refused call would be granted; 0 for a granted one."""
    full_in_ms: int
    """How long until the bucket is full."""

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return OpenAI's rate limit headers, with the precise wait of a refused call."""
        reset = f"{self.full_in_ms}ms" if self.full_in_ms < 1_000 else f"{self.full_in_ms / 1_000:.3f}s"
        return (
            ("x-ratelimit-limit-requests", str(self.limit)),
            ("x-ratelimit-remaining-requests", str(self.remaining)),
            ("x-ratelimit-reset-requests", reset),
            *([] if self.granted else [("retry-after-ms", str(self.wait_ms))]),
        )


class Bucket:
    """A bucket of calls; starts full."""

    __slots__ = ("_burst_ns", "_full_at_ns", "_per_call_ns", "per_minute")

    def __init__(self, per_minute: int, burst: int | None) -> None:
        """Make a bucket for this many calls a minute; `burst` calls at once, a whole minute's if None."""
        self.per_minute = per_minute
        self._per_call_ns = _MINUTE_NS // per_minute
        self._burst_ns = self._per_call_ns * (burst or per_minute)
        self._full_at_ns = 0

    def take(self, now_ns: int) -> Permit:
        """Take one call out if there is one."""
        debt_ns = max(0, self._full_at_ns - now_ns)
        over_ns = debt_ns + self._per_call_ns - self._burst_ns
        granted = over_ns <= 0
        if granted:
            debt_ns += self._per_call_ns
            self._full_at_ns = now_ns + debt_ns
        return Permit(
            granted=granted,
            limit=self.per_minute,
            remaining=(self._burst_ns - debt_ns) // self._per_call_ns,
            wait_ms=0 if granted else -(-over_ns // 1_000_000),
            full_in_ms=-(-debt_ns // 1_000_000),
        )
