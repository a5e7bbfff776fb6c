"""The keeper: takes the batches that nobody keeps and does what they need - validate, load, write."""

import asyncio
import logging
from collections.abc import Callable

from store.database import Database, StoreUnavailable
from store.keeping import Chore, KeptBatch, keep_one, let_go
from workers.loader import Loader
from workers.redriver import Redriver
from workers.settings import WorkerSettings
from workers.writer import Writer

_log = logging.getLogger(__name__)


class Keeper:
    """Runs the chores of one worker, one batch at a time for each kind of chore."""

    def __init__(
        self,
        database: Database,
        loader: Loader,
        writer: Writer,
        redriver: Redriver,
        settings: WorkerSettings,
        worker_id: bytes,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called after every chore: the batch may have ended."""
        self._database = database
        self._loader = loader
        self._writer = writer
        self._redriver = redriver
        self._settings = settings
        self._worker_id = worker_id
        self._changed = changed
        self._wakes = {chore: asyncio.Event() for chore in Chore}

    def look(self) -> None:
        """Ask for a look at the batches now."""
        for wake in self._wakes.values():
            wake.set()

    async def run(self) -> None:
        """Look at the start, and whenever asked, until cancelled: every sweep that finds something to do asks."""
        async with asyncio.TaskGroup() as group:
            for chore in Chore:
                group.create_task(self._run(chore))

    async def _run(self, chore: Chore) -> None:
        while True:
            try:
                while await self._do_one(chore):
                    self.look()
            except StoreUnavailable as error:
                _log.warning("batches wait for the database: %s", error)
            except Exception:
                _log.exception("could not %s a batch; it is tried again when its lease has run out", chore)
            await self._wakes[chore].wait()
            self._wakes[chore].clear()

    async def _do_one(self, chore: Chore) -> bool:
        """Do the chore for one batch; returns whether there was any."""
        lease_ms = self._settings.keeper_lease_ms
        kept = await self._database.write(keep_one, chore, self._worker_id, lease_ms)
        if kept is None:
            return False
        try:
            await self._do(chore, kept)
        except asyncio.CancelledError:  # this worker stops: the next one need not wait for the lease to run out
            await self._database.write(let_go, kept.id, self._worker_id)
            raise
        self._changed()
        await self._database.write(let_go, kept.id, self._worker_id)
        return True

    async def _do(self, chore: Chore, kept: KeptBatch) -> None:
        match chore:
            case Chore.VALIDATE:
                whole = await self._redriver.write(kept) if kept.redrive_json else kept
                if whole is not None:
                    await self._loader.validate(whole)
            case Chore.LOAD:
                await self._loader.load(kept)
            case Chore.WRITE:
                await self._writer.write(kept)
