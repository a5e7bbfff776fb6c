"""The answered: jobs whose callers have their answers, so that bodies kept for that alone can go; written in groups."""

import asyncio
import logging

from store.database import Database, StoreUnavailable
from store.retention import answered

_LINGER_S = 0.5
_GROUP = 256
_log = logging.getLogger(__name__)


class Answered:
    """Collects and writes; what is lost with the process is found by the sweep an hour later."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._job_ids: set[bytes] = set()
        self._some = asyncio.Event()

    def note(self, job_id: bytes) -> None:
        """Note that a job's caller was answered."""
        self._job_ids.add(job_id)
        self._some.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(_LINGER_S)
            await self.write()

    async def write(self) -> None:
        """Write what was noted so far."""
        self._some.clear()
        while self._job_ids:
            group = [self._job_ids.pop() for _ in range(min(_GROUP, len(self._job_ids)))]
            try:
                await self._database.write(answered, sorted(group))
            except StoreUnavailable as error:
                _log.info("%d answered jobs are left to the sweep: %s", len(group), error)
