"""A lane: one provider's calls in this process, bounded; single jobs start before batch lines.

All methods run on the event loop except `has_room` and `wait_for_room`, which consumer threads call.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain

from store.claim import ClaimedJob
from workers.queues import is_batch

_MOST_WAITING = 64
_TICK_S = 0.001


class Lane:
    """Holds claimed jobs until a slot is free, then starts them."""

    def __init__(self, slots: int, start: Callable[[ClaimedJob], None]) -> None:
        self.slots = slots
        self.in_flight = 0
        self._start = start
        self._held = False
        self._held_until_s = 0.0
        self._closed = False
        self._single: deque[ClaimedJob] = deque()
        self._lines: deque[ClaimedJob] = deque()
        self._enough = max(1, min(_MOST_WAITING, slots // 4))
        self._room = threading.Event()
        self._room.set()

    def add(self, jobs: list[ClaimedJob]) -> None:
        """Take claimed jobs and start what fits."""
        for job in jobs:
            (self._lines if is_batch(job.queue) else self._single).append(job)
        self._pump()

    def done(self) -> None:
        """Free the slot of a call that ended."""
        self.in_flight -= 1
        self._pump()

    def hold(self, seconds: float) -> None:
        """Start no more calls for so long: the provider asked us to wait. Holds do not add up."""
        loop = asyncio.get_running_loop()
        self._held_until_s = max(self._held_until_s, loop.time() + seconds)
        self._held = True
        self._tell_room()
        loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if asyncio.get_running_loop().time() >= self._held_until_s - _TICK_S:
            self._held = False
            self._pump()

    def close(self) -> list[ClaimedJob]:
        """Start nothing any more; returns the jobs that were never started."""
        self._closed = True
        never_started = [*self._single, *self._lines]
        self._single.clear()
        self._lines.clear()
        self._tell_room()
        return never_started

    def discard(self, unwanted: Callable[[ClaimedJob], bool]) -> list[ClaimedJob]:
        """Take out waiting jobs that nobody needs any more."""
        found = [job for job in (*self._single, *self._lines) if unwanted(job)]
        if found:
            self._single = deque(job for job in self._single if not unwanted(job))
            self._lines = deque(job for job in self._lines if not unwanted(job))
            self._tell_room()
        return found

    def jobs(self) -> Iterator[ClaimedJob]:
        """Walk the claimed jobs that have no slot yet."""
        return chain(self._single, self._lines)

    @property
    def waiting(self) -> int:
        """How many claimed jobs have no slot yet."""
        return len(self._single) + len(self._lines)

    def has_room(self) -> bool:
        """Whether another message may be fetched for this lane."""
        return not self._closed and not self._held and self.waiting < self._enough

    def wait_for_room(self, timeout_s: float) -> bool:
        """Block the calling thread until there is room, at most so long."""
        return self._room.wait(timeout_s) and self.has_room()

    def _pump(self) -> None:
        while self.in_flight < self.slots and not self._held and not self._closed:
            if self._single:
                job = self._single.popleft()
            elif self._lines:
                job = self._lines.popleft()
            else:
                break
            self.in_flight += 1
            self._start(job)
        self._tell_room()

    def _tell_room(self) -> None:
        if self.has_room():
            if not self._room.is_set():
                self._room.set()
        elif self._room.is_set():
            self._room.clear()
