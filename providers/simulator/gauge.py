"""The gauge: what was used of one limit, and whether more may be used now.

Vendors count in one of two ways. A window remembers every use of its last minute. A bucket fills evenly and forgets the
rest: only the time at which it will be full again is kept (the generic cell rate algorithm). Times are whole
nanoseconds of a steady clock.

A use may be added without being asked for, as the tokens of an answer are: it counts in full, and what follows waits.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from providers.limit import Limit

_MS_NS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Level:
    """How one limit stands at a moment."""

    limit: Limit
    remaining: int
    """How much could be used now."""
    wait_ms: int
    """How long until the amount asked for could be used; 0 if it can be now."""
    full_in_ms: int
    """How long until all of the limit, or of the bucket, could be used."""


class Gauge(Protocol):
    """What was used of one limit. Nothing is used up by asking for the level."""

    limit: Limit

    def level(self, amount: int, now_ns: int) -> Level:
        """Say whether this amount could be used now."""
        ...

    def add(self, amount: int, now_ns: int) -> None:
        """Count an amount as used, whether there is room for it or not."""
        ...


class Window:
    """A log of every use in the last window: the limit holds for any window of that length, wherever it begins."""

    __slots__ = ("_log", "_used", "_window_ns", "limit")

    def __init__(self, limit: Limit) -> None:
        """Start with nothing used."""
        self.limit = limit
        self._window_ns = limit.window_ms * _MS_NS
        self._log: deque[tuple[int, int]] = deque()
        self._used = 0

    def level(self, amount: int, now_ns: int) -> Level:
        """Say whether this amount could be used now; more than the whole limit never can."""
        self._forget(now_ns)
        over = self._used + amount - self.limit.amount
        last_ns = self._log[-1][0] + self._window_ns - now_ns if self._log else 0
        return Level(
            self.limit,
            remaining=max(0, self.limit.amount - self._used),
            wait_ms=_ms(self._free_in_ns(over, now_ns)) if over > 0 else 0,
            full_in_ms=_ms(last_ns),
        )

    def add(self, amount: int, now_ns: int) -> None:
        """Count an amount as used."""
        self._forget(now_ns)
        if amount:
            self._log.append((now_ns, amount))
            self._used += amount

    def _forget(self, now_ns: int) -> None:
        log, since_ns = self._log, now_ns - self._window_ns
        while log and log[0][0] <= since_ns:
            self._used -= log.popleft()[1]

    def _free_in_ns(self, amount: int, now_ns: int) -> int:
        """Return how long until this much has left the window; the whole window if there is not so much in it."""
        for used_at_ns, used in self._log:
            amount -= used
            if amount <= 0:
                return used_at_ns + self._window_ns - now_ns
        return self._window_ns


class Bucket:
    """A bucket that holds `burst` and fills by the limit in each window; starts full."""

    __slots__ = ("_burst_ns", "_full_at_ns", "_window_ns", "limit")

    def __init__(self, limit: Limit, burst: int) -> None:
        """Make a full bucket."""
        self.limit = limit
        self._window_ns = limit.window_ms * _MS_NS
        self._burst_ns = self._cost_ns(burst)
        self._full_at_ns = 0

    def level(self, amount: int, now_ns: int) -> Level:
        """Say whether this amount could be used now; more than the burst never can."""
        debt_ns = max(0, self._full_at_ns - now_ns)
        free_ns = self._burst_ns - debt_ns
        return Level(
            self.limit,
            remaining=max(0, free_ns * self.limit.amount // self._window_ns),
            wait_ms=_ms(max(0, self._cost_ns(amount) - free_ns)),
            full_in_ms=_ms(debt_ns),
        )

    def add(self, amount: int, now_ns: int) -> None:
        """Count an amount as used."""
        self._full_at_ns = max(self._full_at_ns, now_ns) + self._cost_ns(amount)

    def _cost_ns(self, amount: int) -> int:
        """Return how long the bucket takes to fill by this amount."""
        return -(-amount * self._window_ns // self.limit.amount)


def _ms(duration_ns: int) -> int:
    return -(-duration_ns // _MS_NS)
