"""Suspects: jobs whose worker died under them twice or more. Few run at a time, so that the next crash tells."""

from bisect import insort
from collections.abc import Callable

from store.claim import ClaimedJob

_TOGETHER = {2: 16, 3: 4}
"""By crashes, how many suspects run together; those of more crashes run alone. Each death leaves a quarter."""


class Suspects:
    """Holds suspects and admits them, those with fewest crashes first; the others wait here and take no slot."""

    def __init__(self, admit: Callable[[ClaimedJob], None]) -> None:
        self._admit = admit
        self._waiting: list[ClaimedJob] = []
        self._running: dict[tuple[bytes, int], int] = {}
        """The crashes of those that were admitted, by attempt."""

    def add(self, job: ClaimedJob) -> None:
        """Take a suspect; it is admitted when those beside it allow that."""
        insort(self._waiting, job, key=_crashes)
        self._next()

    def waiting(self) -> list[ClaimedJob]:
        """Those that are not admitted yet."""
        return list(self._waiting)

    def done(self, job_id: bytes, n: int) -> None:
        """Note that an attempt is over, and its end written down; does nothing unless it is an admitted suspect's."""
        if self._running.pop((job_id, n), None) is not None:
            self._next()

    def discard(self, is_unwanted: Callable[[ClaimedJob], bool]) -> list[ClaimedJob]:
        """Take out waiting suspects that nobody needs any more."""
        found = [job for job in self._waiting if is_unwanted(job)]
        self._waiting = [job for job in self._waiting if not is_unwanted(job)]
        return found

    def _next(self) -> None:
        while self._waiting and self._fits(self._waiting[0]):
            job = self._waiting.pop(0)
            self._running[job.id, job.n] = job.crashes
            self._admit(job)

    def _fits(self, job: ClaimedJob) -> bool:
        most_crashes = max(job.crashes, *self._running.values(), 0)
        return len(self._running) < _TOGETHER.get(most_crashes, 1)


def _crashes(job: ClaimedJob) -> int:
    return job.crashes
