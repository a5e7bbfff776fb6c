"""Turns: which key is served next when work of several keys waits. Weighted fair queueing. Pure.

Each key has a virtual time, `served`: it moves on by the jobs that the key was given, in thousandths, divided by the
key's weight. The key with the least of it is next. So over time keys get work in proportion to their weights,
however much each has waiting, and a key alone gets everything.

Nobody saves up turns: a key that had nothing to do, or could not be served, comes back at most `MOST_LAG` behind the
key that is ahead of all. A key that was far ahead because it was alone is not made to wait for the others to catch up
either. A known weakness: two keys that both lag that far behind a third, because they compete for a slower
provider than it does, take equal turns there, whatever their weights.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

MOST_LAG = 256_000
"""The largest slice, at weight 1: keys that compete for the same room are never further apart by themselves."""


@dataclass(frozen=True, slots=True)
class Share:
    """A key with work that waits."""

    key_id: bytes
    weight: int
    """Its part of the work, relative to the other keys' weights."""
    served: int
    """Its virtual time, in thousandths of a job of weight 1."""


class Turns:
    """The turns of one hand-out. Ask `next`, give that key work, say with `took` how much, and so on."""

    __slots__ = ("_heap", "_is_alone", "_weights", "served")

    def __init__(self, shares: Iterable[Share]) -> None:
        found = list(shares)
        least = max((share.served for share in found), default=0) - MOST_LAG
        self._weights = {share.key_id: max(share.weight, 1) for share in found}
        # Who was moved up to the same time as others goes in the order in which they were served before.
        self._heap = [(max(share.served, least), share.served, share.key_id) for share in found]
        self._is_alone = len(found) == 1
        heapify(self._heap)
        self.served: dict[bytes, int] = {}
        """The new virtual times to remember. Empty where only one key waits: alone it uses up nobody's turn."""

    def next(self) -> bytes | None:
        """The key whose turn it is; None when none has work that fits."""
        return self._heap[0][2] if self._heap else None

    def took(self, jobs: int) -> None:
        """The key of `next` was given so many jobs; 0 says that it can be given no more this time."""
        if not jobs:
            heappop(self._heap)
            return
        at, _, key_id = self._heap[0]
        served = at + jobs * 1_000 // self._weights[key_id]
        heapreplace(self._heap, (served, served, key_id))
        if not self._is_alone:
            self.served[key_id] = served
