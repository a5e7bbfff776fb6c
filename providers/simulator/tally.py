"""The tally: counters of calls, by status and by second."""

from collections import Counter, deque
from typing import Final

_SECONDS_KEPT: Final = 120


class Tally:
    """What `/sim/stats` counts, apart from the bill."""

    def __init__(self) -> None:
        """Start at zero with no connection open."""
        self.in_flight = 0
        """Calls begun and not ended, those whose client has left but whose generation goes on included."""
        self.open_connections = 0
        self.clear()

    def clear(self) -> None:
        """Set every counter to zero except what is open now."""
        self.calls = 0
        self.max_in_flight = self.in_flight
        self.by_status: Counter[int] = Counter()
        self.by_outcome: Counter[str] = Counter()
        self.trap_hits = 0
        """Requests that followed the redirect of sim-redirect here."""
        self.trap_hits_with_key = 0
        """Those of them that carried a key in a header."""
        self._seconds: deque[list[int]] = deque(maxlen=_SECONDS_KEPT)

    def begin(self, now_s: int) -> None:
        """Count a call that arrived in this second."""
        self.calls += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        self._second(now_s)[1] += 1

    def end(self, status: int, outcome: str, now_s: int, *, refused: bool) -> None:
        """Count the end of a call."""
        self.in_flight -= 1
        self.by_status[status] += 1
        self.by_outcome[outcome] += 1
        if refused:
            self._second(now_s)[2] += 1

    def per_second(self, now_s: int) -> list[dict[str, int]]:
        """Return calls begun and calls refused in each of the last 120 s that had any, oldest first."""
        rows = [row for row in self._seconds if row[0] > now_s - _SECONDS_KEPT]
        return [{"at_s": at_s, "calls": calls, "refused": refused} for at_s, calls, refused in rows]

    def _second(self, now_s: int) -> list[int]:
        if not self._seconds or self._seconds[-1][0] != now_s:
            self._seconds.append([now_s, 0, 0])
        return self._seconds[-1]
