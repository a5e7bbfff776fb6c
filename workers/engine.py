"""The engine: every call that this process makes, on one event loop.

Claimed jobs wait in their provider's lane until a slot is free; then one task makes the call, concludes and hands the
settlement to the finisher. The engine holds no state that matters: the attempt's lease in SQL is what counts.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from providers.client import ProviderClient
from providers.completion import Answer, Endpoint, Usage
from providers.failure import ErrorClass, Failure
from providers.price import Price
from providers.prices import PriceBook
from router.decision import RetryPolicy
from router.routes import Deployment, Route, RouteTable
from store.claim import ClaimedJob
from store.leases import SUSPECT_CRASHES
from store.replies import Replies
from store.settlement import Settlement
from workers.conclusion import (
    Moment,
    conclude_answer,
    conclude_cut,
    conclude_failure,
    conclude_final,
    conclude_unsent,
)
from workers.lane import Lane
from workers.queues import provider_of
from workers.streaming import Stream, stopped, unheard

_LONGEST_HOLD_MS = 10_000
_log = logging.getLogger(__name__)


class Engine:
    """Makes calls; `settle` receives the end of each."""

    def __init__(
        self,
        routes: RouteTable,
        prices: PriceBook,
        client: ProviderClient,
        policy: RetryPolicy,
        replies: Replies,
        settle: Callable[[Settlement], None],
    ) -> None:
        self._routes = routes
        self._prices = prices
        self._client = client
        self._policy = policy
        self._replies = replies
        self._settle = settle
        self._known_routes: dict[str, Route | None] = {}
        self._calls: dict[tuple[bytes, int], tuple[ClaimedJob, asyncio.Task[None]]] = {}
        # By attempt, not by job: a job that this process lost and claimed again may run twice here for a moment.
        self._streams: dict[tuple[bytes, int], Stream] = {}
        self._stopping = False
        self._one_suspect = asyncio.Lock()
        self._clock_offset_ms = 0
        self.lanes = {name: Lane(routes.max_parallel(name), self._start) for name in routes.providers()}

    def set_clock(self, database_now_ms: int) -> None:
        """Note the database's time, which every claim and renewal brings."""
        self._clock_offset_ms = database_now_ms - time.monotonic_ns() // 1_000_000

    def now_ms(self) -> int:
        """The database's time, carried on by this process's monotonic clock."""
        return time.monotonic_ns() // 1_000_000 + self._clock_offset_ms

    def route(self, name: str) -> Route | None:
        """Resolve a route once."""
        if name not in self._known_routes:
            if len(self._known_routes) > 10_000:
                self._known_routes.clear()
            self._known_routes[name] = self._routes.resolve(name)
        return self._known_routes[name]

    def deployment_names(self, name: str, index: int) -> tuple[str, str]:
        """(provider, model) at a place of a route, for the attempt row; empty when the configuration lost it."""
        deployment = self._deployment(name, index)
        return (deployment.provider, deployment.model) if deployment else ("", "")

    def accept(self, jobs: Iterable[ClaimedJob]) -> None:
        """Take claimed jobs, each with its payload."""
        by_provider: dict[str, list[ClaimedJob]] = {}
        for job in jobs:
            by_provider.setdefault(provider_of(job.queue), []).append(job)
        for provider, group in by_provider.items():
            self.lanes[provider].add(group)

    def cut(self, is_unwanted: Callable[[ClaimedJob], bool]) -> None:
        """Cut the calls of jobs that have ended or are another worker's, and drop those that wait for a slot."""
        for lane in self.lanes.values():
            for job in lane.discard(is_unwanted):
                self._end(job, conclude_unsent(job, self.now_ms()))
        for job, task in self._calls.values():
            if is_unwanted(job):
                task.cancel()

    def cut_unheard(self, process: bytes) -> None:
        """Cut the streams of an API process that is gone: their jobs end as cancelled."""
        for key, stream in self._streams.items():
            if stream.listener == process:
                stream.is_unheard = True
                self._calls[key][1].cancel()

    def listeners(self) -> frozenset[bytes]:
        """Name the API processes that streams go to."""
        return frozenset(stream.listener for stream in self._streams.values())

    def holds(self) -> list[tuple[bytes, int]]:
        """(job id, n) of the calls in flight and of the jobs that wait for a slot."""
        return [*((job.id, job.n) for lane in self.lanes.values() for job in lane.jobs()), *self._calls]

    @property
    def in_flight(self) -> int:
        """How many calls are running."""
        return len(self._calls)

    async def drain(self, grace_ms: int) -> None:
        """Start nothing more, let running calls end within the grace, then cut them; every job is settled."""
        for lane in self.lanes.values():
            for job in lane.close():
                self._end(job, conclude_unsent(job, self.now_ms()))
        running = [task for _, task in self._calls.values()]
        if running:
            await asyncio.wait(running, timeout=grace_ms / 1000)
        self._stopping = True
        open_calls = [task for _, task in self._calls.values()]
        for task in open_calls:
            task.cancel()
        await asyncio.gather(*open_calls, return_exceptions=True)

    def _deployment(self, name: str, index: int) -> Deployment | None:
        route = self.route(name)
        return route.deployments[min(index, len(route.deployments) - 1)] if route else None

    def _start(self, job: ClaimedJob) -> None:
        task = asyncio.get_running_loop().create_task(self._run(job))
        self._calls[job.id, job.n] = (job, task)

    async def _run(self, job: ClaimedJob) -> None:
        lane = self.lanes[provider_of(job.queue)]
        try:
            if job.crashes >= SUSPECT_CRASHES:
                async with self._one_suspect:
                    settlement = await self._conclude(job, lane)
            else:
                settlement = await self._conclude(job, lane)
        except asyncio.CancelledError:
            settlement = self._cut_off(job)
        except Exception as error:
            _log.exception("attempt %s.%d failed inside Laneway", job.id.hex(), job.n)
            settlement = self._failed(job, Failure(ErrorClass.INTERNAL, f"internal error: {type(error).__name__}"))
        finally:
            del self._calls[job.id, job.n]
            stream = self._streams.pop((job.id, job.n), None)
            lane.done()
        self._end(job, settlement, stream.sent if stream else 0)

    def _end(self, job: ClaimedJob, settlement: Settlement, events: int = 0) -> None:
        """Hand on a settlement, with what a waiting caller is to be told beside it."""
        if job.reply_to is not None:
            provider, _ = self.deployment_names(job.route, job.route_index)
            settlement = replace(settlement, reply_to=job.reply_to, provider=provider, events=events)
        self._settle(settlement)

    def _cut_off(self, job: ClaimedJob) -> Settlement:
        """Settle a cut call. A stream that its caller has a part of is not made again."""
        stream = self._streams.get((job.id, job.n))
        if stream is not None and stream.is_unheard:
            return conclude_final(job, unheard())
        if stream is not None and stream.sent and self._stopping:
            return conclude_final(job, stopped())
        return conclude_cut(job, self.now_ms())

    async def _conclude(self, job: ClaimedJob, lane: Lane) -> Settlement:
        deployment = self._deployment(job.route, job.route_index)
        if deployment is None:
            return self._failed(job, Failure(ErrorClass.NOT_FOUND, f"no provider serves the model {job.route!r}"))
        left_ms = job.deadline_at_ms - self.now_ms()
        if left_ms <= 0:
            return self._failed(job, Failure(ErrorClass.EXPIRED, "the time for this request ran out before its call"))
        timeout_ms = min(deployment.target.total_timeout_ms, left_ms)
        stream: Stream | None = None
        if job.stream and job.reply_to is not None and job.endpoint == Endpoint.CHAT:
            stream = self._streams[job.id, job.n] = Stream(job, job.reply_to, self._replies)
            reply = await stream.run(self._client, deployment.target, timeout_ms)
        else:
            reply = await self._client.call(
                deployment.target,
                Endpoint(job.endpoint),
                job.body,
                attempt_id=f"{job.id.hex()}.{job.n}",
                timeout_ms=timeout_ms,
            )
        if isinstance(reply, Answer):
            return conclude_answer(job, deployment, reply, self._price)
        self._heed(lane, reply)
        if stream is not None and stream.sent:
            return conclude_final(job, reply)
        return self._failed(job, reply)

    def _failed(self, job: ClaimedJob, failure: Failure) -> Settlement:
        moment = Moment(self.now_ms(), random.random())
        return conclude_failure(job, self.route(job.route), failure, self._policy, moment)

    def _price(self, deployment: Deployment, usage: Usage, service_tier: str | None) -> Price | None:
        return deployment.price or self._prices.price(
            deployment.pricing_id, deployment.model, prompt_tokens=usage.prompt_tokens, service_tier=service_tier
        )

    def _heed(self, lane: Lane, failure: Failure) -> None:
        """Start no more calls to a provider for as long as it asks us to wait, at most ten seconds."""
        if failure.error_class == ErrorClass.RATE_LIMIT and failure.retry_after_ms:
            lane.hold(min(failure.retry_after_ms, _LONGEST_HOLD_MS) / 1000)
