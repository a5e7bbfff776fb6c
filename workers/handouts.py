"""Hand-outs: keeps every deployment supplied, after every claim and at every sweep."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

import redis

from router.deployment import Deployment
from router.rooms import Plan
from router.routes import RouteTable
from router.standing import Standing
from store.database import Database, StoreUnavailable
from store.handout import hand_out
from store.resends import stranded
from store.settlement import Requeued, Settlement
from workers.publisher import Publisher
from workers.queues import batch_queue, interactive_queue
from workers.settings import WorkerSettings, window

_PAUSE_S = 0.02
_log = logging.getLogger(__name__)


def always_open(_deployment: Deployment) -> Standing:
    """The standing of every deployment where nobody measures any."""
    return Standing()


class HandOuts:
    """Publishes what is due. Whether Redis answered last time is in `redis_is_up`.

    `standing` is asked from the database's thread: it reads values, and shows a closed deployment as open where it is
    time to find out.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        routes: RouteTable,
        settings: WorkerSettings,
        standing: Callable[[Deployment], Standing] = always_open,
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._routes = routes
        self._standing = standing
        self._slice_jobs = settings.slice_jobs
        self._windows = _windows(routes)
        self._lost = next(map(batch_queue, routes.providers()), "")
        """The queue of lines whose route is gone; any queue for batches."""
        self._wanted: set[str] = set()
        self._wake = asyncio.Event()
        self.redis_is_up = True

    def want(self, queue: str) -> None:
        """Ask for a hand-out on a queue soon: something was claimed from it or added to it.

        One on a queue for batches is for the waiting slices of all of them.
        """
        self._wanted.add(queue)
        self._wake.set()

    def want_lines(self) -> None:
        """Ask for a hand-out of waiting lines soon: those that pay for them have room again."""
        if self._lost:
            self.want(self._lost)

    def requeued(self, group: Sequence[Settlement], now_ms: int) -> None:
        """Ask for a hand-out of each job that these settlements queued again, once it is due."""
        due: dict[str, set[int]] = {}
        for settlement in group:
            if isinstance(settlement.verdict, Requeued):
                due.setdefault(settlement.verdict.queue, set()).add(settlement.verdict.not_before_ms)
        loop = asyncio.get_running_loop()
        for queue, times_ms in due.items():
            for time_ms in times_ms:
                loop.call_later(max(time_ms - now_ms, 0) / 1000, self.want, queue)

    async def run(self) -> None:
        """Hand out on the wanted queues until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            wanted, self._wanted = self._wanted, set()
            try:
                await self.hand_out(sorted(wanted))
            except StoreUnavailable as error:
                _log.info("hand-out waits for the sweep, the database is away: %s", error)
            await asyncio.sleep(_PAUSE_S)

    async def hand_out(self, queues: Sequence[str]) -> None:
        """Publish what there is room for. While Redis is away it is only marked so: workers find it in SQL."""
        if not queues:
            return
        messages = await self._database.write(hand_out, self._plan(queues))
        if not self.redis_is_up:
            return
        try:
            await self._publisher.send(messages)
        except redis.RedisError as error:
            self._went_away(error)

    async def resend(self, queue: str, now_ms: int, settled_ms: int) -> None:
        """Publish again what was published and never claimed.

        A queue is first in, first out: what is older than its head has left it, and everything has left an empty one.
        What was published less than `settled_ms` ago may still be on its way into a claim.
        """
        head_ms = await self._publisher.head_published_at_ms(queue)
        passed_ms = now_ms - settled_ms
        older_than_ms = passed_ms if head_ms is None else min(head_ms, passed_ms)
        messages = await self._database.write(stranded, queue, older_than_ms)
        if messages:
            _log.info("%d messages of %s were lost or are slow, sending them again", len(messages), queue)
            await self._publisher.send(messages)

    def _plan(self, queues: Sequence[str]) -> Plan:
        return Plan(
            queues=tuple(queues),
            windows=self._windows,
            resolve=self._routes.resolve,
            standing=self._standing,
            draw=random.random,
            slice_jobs=self._slice_jobs,
            lost=self._lost,
        )

    def _went_away(self, error: redis.RedisError) -> None:
        self.redis_is_up = False
        _log.warning("Redis is away (%s): workers poll the database until it is back", type(error).__name__)


def _windows(routes: RouteTable) -> dict[str, int]:
    """How many unclaimed jobs each queue may have.

    Where callers wait, jobs that nobody waits for fill a part only: what is published goes first in, first out.
    """
    windows = {}
    for provider in routes.providers():
        windows[batch_queue(provider)] = whole = window(routes.max_parallel(provider))
        windows[interactive_queue(provider)] = whole // 4
    return windows
