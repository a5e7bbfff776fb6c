"""The worker process: puts the parts together, runs them, and drains them.

One event loop makes all calls and runs all loops; dramatiq's threads only fetch messages and pass them on.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import redis
from dramatiq import Worker

from router.config import BatchLimits, WebhooksConfig
from router.delivery import kind_of
from router.routes import RouteTable
from store.contents import FileContents
from store.database import Database
from store.deliveries import EndedTry
from store.finish import Finish
from store.happenings import Happening
from store.ids import new_id
from store.replies import Replies
from store.sealing import PLAIN, Sealer
from store.settlement import Settlement
from store.signals import Signals
from workers.actors import declare_actors
from workers.broker import create_broker
from workers.call_watch import CallWatch
from workers.calling import Calling, CallRules
from workers.claimer import Claimer
from workers.finisher import Finisher
from workers.handouts import HandOuts
from workers.identity import Identity
from workers.keeper import Keeper
from workers.loader import Loader
from workers.publisher import Publisher
from workers.queues import batch_queue, interactive_queue, provider_of
from workers.redriver import Redriver
from workers.renewer import Renewer
from workers.replier import Replier
from workers.settings import WorkerSettings
from workers.streaming import StreamWatch
from workers.sweeper import Sweeper, SweepParts
from workers.twins import Twins
from workers.webhooks.deliveries import Deliveries
from workers.writer import Writer

_THREADS = 4
_IDLE_MS = 500
_STOP_MS = 10_000
_LAST_POSTS_MS = 1_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerDependencies:
    """What a worker is made from; the caller owns database and contents."""

    database: Database
    contents: FileContents
    rules: CallRules
    broker_url: str
    state_url: str
    pepper: bytes = field(repr=False)
    """The server's secret, from which webhook secrets come."""
    other_peppers: tuple[bytes, ...] = field(default=(), kw_only=True, repr=False)
    """Those that are accepted beside it while one follows the other."""
    limits: BatchLimits = field(default_factory=BatchLimits)
    settings: WorkerSettings = field(default_factory=WorkerSettings)
    webhooks: WebhooksConfig = field(default_factory=WebhooksConfig)
    queues: frozenset[str] | None = None
    """The queues to serve; None for all of the configuration."""
    version: str = ""
    sealer: Sealer = PLAIN
    """Makes bodies unreadable where they are stored. The one of `contents`, too."""
    call_watch: CallWatch | None = None
    """Who wants to know of calls that have ended."""


async def run_worker(dependencies: WorkerDependencies, stop: asyncio.Event) -> None:
    """Work until `stop` is set, then drain: no call is lost, whatever was not sent goes back to its queue.

    Raises ValueError for a queue that no provider of the configuration has.
    """
    await WorkerProcess(dependencies).run(stop)


def all_queues(routes: RouteTable) -> tuple[str, ...]:
    """Both queues of every provider."""
    return tuple(queue for name in routes.providers() for queue in (interactive_queue(name), batch_queue(name)))


class WorkerProcess:
    """The parts of one worker; see `run_worker`."""

    def __init__(self, needs: WorkerDependencies) -> None:
        settings, database, routes = needs.settings, needs.database, needs.rules.routes
        queues = all_queues(routes)
        served = tuple(queue for queue in queues if needs.queues is None or queue in needs.queues)
        if unknown := (needs.queues or frozenset()) - set(queues):
            raise ValueError(f"no provider has the queue {', '.join(sorted(unknown))}; there are {', '.join(queues)}")
        worker_id = new_id()
        identity = Identity(worker_id, served, needs.version)
        self._settings = settings
        self._database = database
        self._queues = queues
        self._served = served
        self._signals = Signals(needs.state_url)
        self._finisher = Finisher(database, settings, self._written, needs.sealer)
        self._replies = Replies(needs.state_url)
        self._replier = Replier(self._replies)
        self._calling = Calling(
            worker_id, needs.rules, database, self._replies, needs.state_url, self._finisher.add, settings.watch_ms,
            needs.sealer, needs.call_watch,
        )  # fmt: skip
        self._engine = self._calling.engine
        self._stream_watch = StreamWatch(self._replies, self._engine.listeners, self._engine.cut_unheard)
        self._broker = create_broker(needs.broker_url, self._wait_for_room)
        self._publisher = Publisher(self._broker)
        self._hand_outs = hand_outs = HandOuts(
            database, self._publisher, routes, settings, self._calling.standings.offered
        )
        self._claimer = Claimer(database, self._engine, identity, settings.lease_ms, hand_outs.want, needs.sealer)
        loader = Loader(
            database,
            needs.contents,
            routes,
            needs.rules.prices,
            settings,
            worker_id,
            limits=needs.limits,
            loaded=hand_outs.want,
            sealer=needs.sealer,
        )
        writer = Writer(database, needs.contents, settings, worker_id, needs.sealer)
        self._deliveries = Deliveries(
            database,
            (needs.pepper, *needs.other_peppers),
            needs.webhooks,
            version=needs.version,
            tried=self._tried,
        )
        redriver = Redriver(database, needs.contents, settings, worker_id, needs.limits)
        self._keeper = Keeper(database, loader, writer, redriver, settings, worker_id, self._after_chore)
        self._twins = Twins(database, self._keeper.look)
        self._renewer = Renewer(database, self._engine, self._finisher, settings, identity)
        parts = SweepParts(
            database,
            needs.contents,
            self._engine,
            self._claimer,
            self._publisher,
            hand_outs,
            self._signals,
            self._replier,
            self._calling.tally,
            queues,
            served,
            self._keeper.look,
            self._deliveries.look,
            self._twins.look,
        )
        self._sweeper = Sweeper(parts, settings)

    def is_fresh(self) -> bool:
        """Whether it renewed its leases, and its row of `worker`, within their time."""
        renewed_s = self._renewer.renewed_s
        return renewed_s is not None and time.monotonic() - renewed_s < self._settings.lease_ms / 1000

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, wait for `stop`, drain."""
        await self._renewer.renew_first(stop)
        loops = [
            asyncio.create_task(run())
            for run in (
                self._finisher.run, self._renewer.run, self._hand_outs.run, self._keeper.run, self._sweeper.run,
                self._deliveries.run, self._stream_watch.run, self._calling.watch.run, self._listen, self._twins.run,
                self._calling.tally.run, self._calling.call_watch.run,
            )
        ]  # fmt: skip
        dramatiq_worker = self._start_dramatiq()
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopping, *loops], return_when=asyncio.FIRST_COMPLETED)
            for loop in loops:
                if loop.done():
                    loop.result()  # a loop never ends by itself: raise what ended it
        finally:
            await self._drain(dramatiq_worker)
            for task in (stopping, *loops):
                task.cancel()
            await asyncio.gather(stopping, *loops, return_exceptions=True)
            await self._close()

    def _start_dramatiq(self) -> Worker:
        if self._queues:
            declare_actors(self._broker, self._queues, self._claimer.jobs, self._claimer.slice)
        worker = Worker(self._broker, queues=set(self._served), worker_timeout=_IDLE_MS, worker_threads=_THREADS)
        worker.start()
        return worker

    async def _drain(self, dramatiq_worker: Worker) -> None:
        """Claim nothing more, let calls end within the grace, settle everything."""
        started = time.monotonic()
        self._broker.stopping.set()
        self._deliveries.stop()
        stopped = asyncio.create_task(asyncio.to_thread(dramatiq_worker.stop, _STOP_MS))
        await self._engine.drain(self._settings.grace_ms)
        with contextlib.suppress(redis.RedisError):  # what dramatiq could not put back is published again
            await stopped
        await self._engine.drain(0)  # what a claim under way still brought in
        try:
            async with asyncio.timeout(self._settings.grace_ms / 1000):
                await self._finisher.flush()
        except TimeoutError:
            _log.error("the database did not take the last answers in time; their calls will be made again")
        _log.info("drained in %.1f s", time.monotonic() - started)

    async def _close(self) -> None:
        self._publisher.close()
        await self._deliveries.close(_LAST_POSTS_MS)
        await self._replies.close()
        await self._signals.close()
        await self._calling.aclose()

    async def _listen(self) -> None:
        """Act on control messages."""
        async for message in self._signals.listen():
            if message.batches_changed:
                self._keeper.look()
                self._sweeper.look()
            if message.deliveries_due:
                self._deliveries.look()
            if message.settings_changed:
                self._calling.watch.look()
            if message.cancel_jobs:
                ended = frozenset(message.cancel_jobs)
                self._engine.cut(lambda job, ended=ended: job.id.hex() in ended)  # type: ignore[misc]

    def _wait_for_room(self, queue: str, seconds: float) -> bool:
        return self._engine.lanes[provider_of(queue)].wait_for_room(queue, seconds)

    def _tried(self, tries: Sequence[EndedTry]) -> None:
        self._calling.tally.happened(Happening.WEBHOOK_TRIED, (kind_of(each.verdict) for each in tries))

    def _after_chore(self) -> None:
        """A batch may have ended, or have got lines that wait for others."""
        self._deliveries.look()
        self._twins.look()

    def _written(self, group: Sequence[Settlement], done: Finish) -> None:
        """After a commit: publish what was queued again when it is due, have batches written and webhooks sent."""
        self._engine.written(group)
        self._calling.tally.ended(done.states)
        self._replier.settled(done.ended)
        self._hand_outs.requeued(group, self._engine.now_ms())
        if done.to_write:
            self._keeper.look()
        if done.has_twins:
            self._twins.look()
        if done.to_send:
            self._deliveries.look()
        if done.gave_back:
            self._hand_outs.want_lines()
