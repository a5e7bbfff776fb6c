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


class _Line:
    """The claimed jobs of one kind that wait for a slot, and whether another message may be fetched for them."""

    def __init__(self, enough: int) -> None:
        self.jobs: deque[ClaimedJob] = deque()
        self.enough = enough
        self.room = threading.Event()
        self.room.set()

    def tell_room(self, *, is_open: bool) -> None:
        """Let the consumer's thread go on, or keep it waiting."""
        has_room = is_open and len(self.jobs) < self.enough
        if has_room != self.room.is_set():
            (self.room.set if has_room else self.room.clear)()


class Lane:
    """Holds claimed jobs until a slot is free, then starts them."""

    def __init__(self, slots: int, start: Callable[[ClaimedJob], None]) -> None:
        self.slots = slots
        self.in_flight = 0
        self._start = start
        self._held_until_s = 0.0
        self._held = False
        self._closed = False
        enough = max(1, min(_MOST_WAITING, slots // 4))
        self._single = _Line(enough)
        self._lines = _Line(enough)

    def add(self, jobs: list[ClaimedJob]) -> None:
        """Take claimed jobs and start what fits."""
        for job in jobs:
            self._line(job.queue).jobs.append(job)
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

    def close(self) -> list[ClaimedJob]:
        """Start nothing any more; returns the jobs that were never started."""
        self._closed = True
        return self.discard(lambda _: True)

    def discard(self, is_unwanted: Callable[[ClaimedJob], bool]) -> list[ClaimedJob]:
        """Take out waiting jobs that nobody needs any more."""
        found = [job for job in self.jobs() if is_unwanted(job)]
        if found:
            for line in (self._single, self._lines):
                line.jobs = deque(job for job in line.jobs if not is_unwanted(job))
        self._tell_room()
        return found

    def jobs(self) -> Iterator[ClaimedJob]:
        """Walk the claimed jobs that have no slot yet."""
        return chain(self._single.jobs, self._lines.jobs)

    @property
    def waiting(self) -> int:
        """How many claimed jobs have no slot yet."""
        return len(self._single.jobs) + len(self._lines.jobs)

    def has_room(self, queue: str) -> bool:
        """Whether another message may be fetched from this queue. Waiting lines leave room for single jobs."""
        return self._line(queue).room.is_set()

    def wait_for_room(self, queue: str, timeout_s: float) -> bool:
        """Block the calling thread until there is room, at most so long."""
        return self._line(queue).room.wait(timeout_s)

    def _line(self, queue: str) -> _Line:
        return self._lines if is_batch(queue) else self._single

    def _resume(self) -> None:
        if asyncio.get_running_loop().time() >= self._held_until_s - _TICK_S:
            self._held = False
            self._pump()

    def _pump(self) -> None:
        while self.in_flight < self.slots and not self._held and not self._closed:
            waiting = self._single.jobs or self._lines.jobs
            if not waiting:
                break
            self.in_flight += 1
            self._start(waiting.popleft())
        self._tell_room()

    def _tell_room(self) -> None:
        is_open = not self._held and not self._closed
        self._single.tell_room(is_open=is_open)
        self._lines.tell_room(is_open=is_open)
