"""How many wrong keys one address may try: ten, then one each six seconds. Bounded, and in this process only."""

import time
from collections import OrderedDict
from collections.abc import Callable

_BURST = 10
_PER_SECOND = 10 / 60
_MOST_ADDRESSES = 10_000


class GuessMeter:
    """A token bucket for each client address; addresses not seen for longest are forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> (tokens, at)

    def take(self, address: str) -> bool:
        """Take one try; False when none is left."""
        tokens = self._tokens(address)
        self._put(address, tokens - 1 if tokens >= 1 else tokens)
        return tokens >= 1

    def give_back(self, address: str) -> None:
        """Return the try of a key that proved right."""
        self._put(address, min(_BURST, self._tokens(address) + 1))

    def _tokens(self, address: str) -> float:
        tokens, at = self._buckets.get(address, (float(_BURST), self._clock()))
        return min(_BURST, tokens + (self._clock() - at) * _PER_SECOND)

    def _put(self, address: str, tokens: float) -> None:
        self._buckets[address] = (tokens, self._clock())
        self._buckets.move_to_end(address)
        if len(self._buckets) > _MOST_ADDRESSES:
            self._buckets.popitem(last=False)
