"""The sweeper: in every worker, without a leader. All its steps are conditional updates, so any number may run.

Whether there is anything to do is one look (`store.outlook`); where there is not, no step looks for itself.
A step that fails does not keep the others from running; `last_ok_ms` tells when a whole sweep last succeeded.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import redis
from sqlalchemy import Connection

from providers.failure import ErrorClass
from router.lifecycle import JobState
from store.closing import begin_expiry, close_lines, closing_batches, cut_lines, expire_jobs
from store.contents import FileContents
from store.cost_caps import forget_caps
from store.database import Database, StoreUnavailable
from store.epoch import enter_epoch
from store.event_retention import purge_endpoints, purge_events
from store.files import contents_removed, file_contents_to_remove
from store.gauges import note_sweep
from store.handout import busy_queues
from store.happenings import Happening
from store.idempotency import purge_keys
from store.leases import forget_workers, rescue
from store.outlook import Outlook, look_out
from store.pauses import go_on, may_go_on
from store.retention import PurgePlace, purge_bodies, purge_ephemeral
from store.signals import Signals
from store.tally import purge_traffic
from store.traces import forget_traces
from store.upload_parts import remove_parts
from store.uploads import forget_uploads
from workers.claimer import Claimer
from workers.engine import Engine
from workers.handouts import HandOuts
from workers.publisher import Publisher
from workers.replier import Replier
from workers.settings import WorkerSettings
from workers.tally import Tally

_PURGE_STEPS = 20
"""Of 500 bodies each, in transactions of their own: nobody waits long for the write lock."""
_WIPE_EVERY_S = 60.0
_TIDIES_EVERY = 6
"""Where a look has found nothing to delete, only every so many sweeps look again: it is half of an idle worker."""
_UNKNOWN = Outlook(is_due=True, epoch=None)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweepParts:
    """What the sweeper works with."""

    database: Database
    contents: FileContents
    engine: Engine
    claimer: Claimer
    publisher: Publisher
    hand_outs: HandOuts
    signals: Signals
    replier: Replier
    tally: Tally
    queues: tuple[str, ...]
    """Every queue of the configuration."""
    served: tuple[str, ...]
    """Those that this worker serves."""
    look_at_batches: Callable[[], None]
    """Called when a batch may wait for its files to be written."""
    look_at_deliveries: Callable[[], None]
    """Called when webhooks may be due."""
    look_at_twins: Callable[[], None]
    """Called when lines may wait for others that have ended."""


class Sweeper:
    """Sweeps until cancelled."""

    def __init__(self, parts: SweepParts, settings: WorkerSettings) -> None:
        self._parts = parts
        self._settings = settings
        # Live workers may not have renewed for as long as the database was away: they go first, also after our start.
        self._rescue_from_s = time.monotonic() + settings.renew_ms / 1000
        self._wake = asyncio.Event()
        self._purging: PurgePlace | None = None
        self._wipe_from_s = 0.0
        self._untidy_sweeps = 0
        self._busy: set[str] = set()
        self._outlook = _UNKNOWN
        self.last_ok_s: float | None = None
        """Monotonic seconds of the last sweep without an error; None before the first."""

    async def run(self) -> None:
        """Sweep now and then every `sweep_ms`, give or take a quarter."""
        while True:
            if await self.sweep():
                self.last_ok_s = time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.sweep_ms / 1000 * random.uniform(0.75, 1.25)):
                    await self._wake.wait()
            self._wake.clear()

    def look(self) -> None:
        """Ask for a sweep now: a batch was made or cancelled."""
        self._wake.set()

    async def sweep(self) -> bool:
        """Do every step once, unless there is nothing to do for them; returns whether all went well."""
        results = [await self._step(self._look_out), await self._step(self._look_at_redis)]
        if self._outlook.is_due:
            results += [await self._step(step) for step in self._steps()]
            self._parts.look_at_deliveries()
        results.append(await self._step(self._tidy))
        return all(results) and await self._step(self._note)

    def _steps(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        return self._rescue, self._expire, self._close, self._go_on, self._hand_out, self._resend

    async def _step(self, step: Callable[[], Awaitable[None]]) -> bool:
        try:
            await step()
            return True
        except StoreUnavailable as error:
            _log.warning("sweep: %s: %s", step.__name__, error)
            # The workers could not renew either: give them one lease before anybody is judged.
            self._rescue_from_s = time.monotonic() + self._settings.lease_ms / 1000
        except redis.RedisError as error:
            _log.warning("sweep: %s: Redis: %s", step.__name__, type(error).__name__)
        except Exception:
            _log.exception("sweep: %s failed", step.__name__)
        return False

    async def _look_out(self) -> None:
        """Find out whether there is anything to do; where that fails, every step looks for itself."""
        self._outlook = _UNKNOWN
        try:
            self._outlook = await self._parts.database.read(look_out)
        finally:
            if self._outlook.is_due:  # before the steps: these may take their time
                self._parts.look_at_batches()
                self._parts.look_at_deliveries()
                self._parts.look_at_twins()

    async def _look_at_redis(self) -> None:
        """Notice whether Redis is there, and whether it is still the one that we published into."""
        hand_outs = self._parts.hand_outs
        try:
            epoch = await self._parts.publisher.epoch()
        except redis.RedisError:
            hand_outs.redis_is_up = False
            if self._outlook.is_due:
                await self._hand_out()
                for queue in self._parts.served:
                    await self._parts.claimer.poll(queue)
            return
        hand_outs.redis_is_up = True
        known = self._outlook.epoch
        if known != epoch and await self._parts.database.write(enter_epoch, epoch) and known is not None:
            _log.warning("Redis is new or was emptied: everything unclaimed is published again")

    async def _rescue(self) -> None:
        if time.monotonic() < self._rescue_from_s:
            return
        jitter_ms = int(random.random() * self._settings.rescue_jitter_ms)
        rescued = await self._parts.database.write(rescue, jitter_ms, self._settings.suspect_pause_ms)
        self._parts.replier.ended(rescued.poisoned, ErrorClass.POISON)
        self._parts.tally.happened(Happening.JOB_ENDED, [ErrorClass.POISON] * len(rescued.poisoned))
        if rescued.requeued:
            _log.warning("%d jobs of lost workers are queued again", len(rescued.requeued))

    async def _expire(self) -> None:
        expired = await self._parts.database.write(expire_jobs)
        self._parts.replier.ended(expired, ErrorClass.EXPIRED)
        self._parts.tally.ended({JobState.EXPIRED: len(expired)})
        if cut := [job.id for job in expired if job.was_running]:
            await self._parts.signals.cancel_jobs(cut)
        await self._parts.database.write(begin_expiry)

    async def _close(self) -> None:
        database = self._parts.database
        for closing in await database.read(closing_batches, self._settings.closing_grace_ms):
            while await database.write(close_lines, closing):
                pass
            if closing.cut_running:
                cut = await database.write(cut_lines, closing)
                if cut:
                    await self._parts.signals.cancel_jobs(cut)
            else:
                asyncio.get_running_loop().call_later(self._settings.closing_grace_ms / 1000, self.look)
            self._parts.look_at_batches()

    async def _go_on(self) -> None:
        """Resume the batches whose budgets have room again."""
        if batch_ids := await self._parts.database.read(may_go_on):
            await self._parts.database.write(go_on, batch_ids)
            _log.info("%d batches go on: their budgets have room again", len(batch_ids))

    async def _hand_out(self) -> None:
        self._busy = await self._parts.database.read(busy_queues)
        await self._parts.hand_outs.hand_out(sorted(self._busy))

    async def _resend(self) -> None:
        if not self._parts.hand_outs.redis_is_up:
            return
        for queue in self._busy.intersection(self._parts.queues):
            await self._parts.hand_outs.resend(queue, self._parts.engine.now_ms(), self._settings.sweep_ms)

    async def _tidy(self) -> None:
        """Delete bodies whose time is over, and the bytes of files that are gone for their owner."""
        if self._untidy_sweeps:
            self._untidy_sweeps -= 1
            return
        database, contents = self._parts.database, self._parts.contents
        await database.write(_forget_records)
        await self._forget_events()
        has_purged = await self._purge()
        gone = await database.read(file_contents_to_remove)
        for file_id in gone:
            await contents.remove(file_id)
        if gone:
            await database.write(contents_removed, gone)
        await remove_parts(database, contents)
        if has_purged or time.monotonic() >= self._wipe_from_s:
            # What the API deleted once it was answered is in the database's log until then, too.
            self._wipe_from_s = time.monotonic() + _WIPE_EVERY_S if await database.wipe_log() else 0.0
        is_tidy = not has_purged and not gone and self._wipe_from_s > 0
        self._untidy_sweeps = _TIDIES_EVERY - 1 if is_tidy else 0

    async def _forget_events(self) -> None:
        """Delete what was told long ago, and the endpoints that only that names."""
        for step in (purge_events, purge_endpoints):
            for _ in range(_PURGE_STEPS):
                if not await self._parts.database.write(step):
                    break

    async def _note(self) -> None:
        """Write down that all of it went well: whoever watches sees that somebody sweeps."""
        await self._parts.database.write(note_sweep)

    async def _purge(self) -> bool:
        """Delete bodies whose time is over; returns whether there were any."""
        database, keep_ms = self._parts.database, self._settings.keep_content_ms
        has_purged = False
        for _ in range(_PURGE_STEPS):
            self._purging = await database.write(purge_bodies, keep_ms, self._purging)
            if self._purging is None:
                break
            has_purged = True
        for _ in range(_PURGE_STEPS):
            if not await database.write(purge_ephemeral, keep_ms):
                break
            has_purged = True
        return has_purged


def _forget_records(connection: Connection, now_ms: int) -> None:
    """Delete some of each kind of what is of no use any more, and small: the steps are too short to be apart."""
    for forget in (forget_workers, purge_keys, forget_caps, purge_traffic, forget_traces, forget_uploads):
        forget(connection, now_ms)
