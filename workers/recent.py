"""Recent: how much happened in the last minute, in twelve bins of five seconds."""

_BIN_MS = 5_000
_BINS = 12


class Recent:
    """Counts by time; `now_ms` never goes back."""

    __slots__ = ("_bins", "_last")

    def __init__(self) -> None:
        self._bins = [0] * _BINS
        self._last = 0

    def note(self, now_ms: int, n: int = 1) -> None:
        """Count something that happens now."""
        self._turn(now_ms)
        self._bins[self._last % _BINS] += n

    def per_minute(self, now_ms: int) -> int:
        """How much the last minute had, the bin under way included."""
        self._turn(now_ms)
        return sum(self._bins)

    def _turn(self, now_ms: int) -> None:
        now = now_ms // _BIN_MS
        for bin_ in range(max(self._last + 1, now - _BINS + 1), now + 1):
            self._bins[bin_ % _BINS] = 0
        self._last = max(self._last, now)
