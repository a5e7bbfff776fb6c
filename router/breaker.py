"""The breaker of one deployment: opens when too many of its calls fail. Pure; the caller brings the time.

It opens at a share of failures among enough calls within a window, or after some failures in a row, for a quiet
deployment never has enough calls. What keeps it open, probes it and closes it again is the scope's closure.
"""

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens, and for how long at first."""

    errors_permille: int = 500
    """The share of failures that opens it."""
    calls: int = 20
    """At least so many calls in the window before the share counts."""
    window_ms: int = 10_000
    consecutive: int = 5
    """So many failures in a row open it too."""
    open_ms: int = 5_000
    """How long nothing is sent there the first time; then one probe at a time, at growing intervals."""


class Breaker:
    """Watches the ends of calls."""

    __slots__ = ("_ends", "_failures", "_in_a_row", "_policy")

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._ends: deque[tuple[int, bool]] = deque()
        self._failures = 0
        self._in_a_row = 0

    def succeeded(self, now_ms: int) -> None:
        """Note a call that the provider served, or refused for a reason that is not its own."""
        self._in_a_row = 0
        self._note(now_ms, failed=False)

    def failed(self, now_ms: int) -> bool:
        """Note a failure of the provider; True when it opens now, after which it counts anew."""
        self._in_a_row += 1
        self._note(now_ms, failed=True)
        policy = self._policy
        too_many = (
            len(self._ends) >= policy.calls and self._failures * 1_000 >= len(self._ends) * policy.errors_permille
        )
        if not too_many and self._in_a_row < policy.consecutive:
            return False
        self._ends.clear()
        self._failures = self._in_a_row = 0
        return True

    def _note(self, now_ms: int, *, failed: bool) -> None:
        self._ends.append((now_ms, failed))
        self._failures += failed
        while self._ends[0][0] <= now_ms - self._policy.window_ms:
            self._failures -= self._ends.popleft()[1]
