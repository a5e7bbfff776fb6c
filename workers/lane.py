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
_MOST_HELD = 512
_MOST_BODY_BYTES = 64 << 20
_TICK_S = 0.001


class _Line:
    """The claimed jobs of one kind that wait for a slot, and whether another message may be fetched for them."""

    def __init__(self) -> None:
        self.jobs: deque[ClaimedJob] = deque()
        self.room = threading.Event()
        self.room.set()

    def next(self, held: dict[str, float]) -> ClaimedJob | None:
        """Take the first job whose route is not held."""
        if not held:
            return self.jobs.popleft() if self.jobs else None
        for index, job in enumerate(self.jobs):
            if job.route not in held:
                del self.jobs[index]
                return job
        return None

    def tell_room(self, *, has_room: bool) -> None:
        """Let the consumer's thread go on, or keep it waiting."""
        if has_room != self.room.is_set():
            (self.room.set if has_room else self.room.clear)()


class Lane:
    """Holds claimed jobs until a slot is free, then starts them."""

    def __init__(self, slots: int, start: Callable[[ClaimedJob], None]) -> None:
        self.slots = slots
        self.in_flight = 0
        self._start = start
        self._held: dict[str, float] = {}  # route -> until when, in the loop's seconds
        self._closed = False
        self._enough = max(1, min(_MOST_WAITING, slots // 4))
        self._body_bytes = 0  # of all jobs here, waiting and running
        self._single = _Line()
        self._lines = _Line()

    def add(self, jobs: list[ClaimedJob]) -> None:
        """Take claimed jobs and start what fits."""
        for job in jobs:
            self._line(job.queue).jobs.append(job)
            self._body_bytes += len(job.body)
        self._pump()

    def done(self, job: ClaimedJob) -> None:
        """Free the slot of a call that ended."""
        self.in_flight -= 1
        self._body_bytes -= len(job.body)
        self._pump()

    def hold(self, route: str, seconds: float) -> None:
        """Start no more calls of a route for so long: its provider asked us to wait. Holds do not add up."""
        loop = asyncio.get_running_loop()
        self._held[route] = max(self._held.get(route, 0.0), loop.time() + seconds)
        loop.call_later(seconds, self._resume, route)

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
            self._body_bytes -= sum(len(job.body) for job in found)
        self._tell_room()
        return found

    def jobs(self) -> Iterator[ClaimedJob]:
        """Walk the claimed jobs that have no slot yet."""
        return chain(self._single.jobs, self._lines.jobs)

    @property
    def waiting(self) -> int:
        """How many claimed jobs have no slot yet."""
        return len(self._single.jobs) + len(self._lines.jobs)

    def free(self, route: str) -> int:
        """How many calls of a route could start right now."""
        if self._closed or route in self._held or self._single.jobs or not self._single.room.is_set():
            return 0
        return self.slots - self.in_flight

    def has_room(self, queue: str) -> bool:
        """Whether another message may be fetched from this queue. Waiting lines leave room for single jobs."""
        return self._line(queue).room.is_set()

    def wait_for_room(self, queue: str, timeout_s: float) -> bool:
        """Block the calling thread until there is room, at most so long."""
        return self._line(queue).room.wait(timeout_s)

    def _line(self, queue: str) -> _Line:
        return self._lines if is_batch(queue) else self._single

    def _resume(self, route: str) -> None:
        if asyncio.get_running_loop().time() >= self._held.get(route, 0.0) - _TICK_S:
            self._held.pop(route, None)
            self._pump()

    def _pump(self) -> None:
        while self.in_flight < self.slots and not self._closed:
            job = self._single.next(self._held) or self._lines.next(self._held)
            if job is None:
                break
            self.in_flight += 1
            self._start(job)
        self._tell_room()

    def _tell_room(self) -> None:
        fits = not self._closed and self._body_bytes < _MOST_BODY_BYTES
        for line in (self._single, self._lines):
            line.tell_room(has_room=fits and self._has_few(line))

    def _has_few(self, line: _Line) -> bool:
        """Whether few enough jobs wait: held ones leave room for other routes, up to a limit."""
        if len(line.jobs) < self._enough or not self._held:
            return len(line.jobs) < self._enough
        startable = sum(job.route not in self._held for job in line.jobs)
        return startable < self._enough and len(line.jobs) < _MOST_HELD
