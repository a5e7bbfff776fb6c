"""The engine: every call that this process makes, on one event loop.

Claimed jobs wait in their provider's lane until a slot is free; then one task makes the call, concludes and hands the
settlement to the finisher. The engine holds no state that matters: the attempt's lease in SQL is what counts.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain

from providers.client import ProviderClient
from providers.completion import Answer
from providers.failure import ErrorClass, Failure
from router.decision import RetryPolicy
from router.route_name import asked_model
from router.routes import Deployment, RouteTable
from router.scope import Scope
from store.claim import ClaimedJob
from store.database import StoreUnavailable
from store.leases import SUSPECT_CRASHES, WATCHED_CRASHES
from store.settlement import Settlement
from workers.admission import Admission
from workers.call import Call
from workers.clock import Clock
from workers.conclusion import (
    Moment,
    conclude_answer,
    conclude_cut,
    conclude_failure,
    conclude_final,
    conclude_refused,
    conclude_unsent,
    signed,
)
from workers.departure import conclude_leaving
from workers.gate import Gate
from workers.impatience import Leaving
from workers.lane import Lane
from workers.pricing import Pricing
from workers.queues import provider_of
from workers.sinks import Sinks
from workers.streaming import stopped, unheard
from workers.suspects import Suspects

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineNeeds:
    """What an engine is made from."""

    routes: RouteTable
    pricing: Pricing
    client: ProviderClient
    policy: RetryPolicy
    sinks: Sinks
    admission: Admission
    clock: Clock
    ended: Callable[[Call, Settlement], None]
    """Told of every call that has ended, once its end is on its way: what watches can hold nothing up."""


class Engine:
    """Makes calls; `settle` receives the end of each."""

    def __init__(
        self,
        needs: EngineNeeds,
        settle: Callable[[Settlement], None],
        mark_watched: Callable[[bytes, int], Awaitable[None]],
    ) -> None:
        self._routes = needs.routes
        self._pricing = needs.pricing
        self._client = needs.client
        self._policy = needs.policy
        self._sinks = needs.sinks
        self._admission = needs.admission
        self._clock = needs.clock
        self._told = needs.ended
        self._settle = settle
        self._mark_watched = mark_watched
        self._calls: dict[tuple[bytes, int], Call] = {}
        # By attempt, not by job: a job that this process lost and claimed again may run twice here for a moment.
        self._stopping = False
        self._suspects = Suspects(self._admit)
        self._leases_hold_ms: tuple[int, int] | None = None
        self.lanes = {
            name: Lane(needs.routes.max_parallel(name), self._start, self._leave, needs.admission)
            for name in needs.routes.providers()
        }

    def set_leases(self, renewed_at_ms: int, lease_ms: int) -> None:
        """Note that all leases were renewed, by the database's time."""
        self._clock.set(renewed_at_ms)
        self._leases_hold_ms = (renewed_at_ms, lease_ms)

    def now_ms(self) -> int:
        """The database's time, carried on by this process's monotonic clock."""
        return self._clock.now_ms()

    def deployment_names(self, name: str, index: int) -> tuple[str, str]:
        """(provider, model) at a place of a route, for the attempt row; empty when the configuration lost it."""
        deployment = self._deployment(name, index)
        return (deployment.provider, deployment.model) if deployment else ("", "")

    def waiting(self) -> Counter[Scope]:
        """Count the claimed jobs that have no slot yet, by every scope that they belong to."""
        found: Counter[Scope] = Counter()
        for gate in (gate for lane in self.lanes.values() for gate in lane.gates()):
            found.update({each.scope: len(gate) for each in gate.scopes})
        return found

    def look_again(self) -> None:
        """Start what can start now: limits, closures or live settings have changed."""
        for lane in self.lanes.values():
            lane.pump()

    def accept(self, jobs: Iterable[ClaimedJob]) -> None:
        """Take claimed jobs, each with its payload."""
        by_provider: dict[str, list[ClaimedJob]] = {}
        for job in jobs:
            if self._routes.resolve(job.route) is None:
                message = f"no provider serves the model {asked_model(job.route)!r}"
                self.refuse(job, Failure(ErrorClass.NOT_FOUND, message))
            elif job.crashes >= SUSPECT_CRASHES:
                self._suspects.add(job)
            else:
                by_provider.setdefault(provider_of(job.queue), []).append(job)
        for provider, group in by_provider.items():
            self.lanes[provider].add(group)

    def refuse(self, job: ClaimedJob, failure: Failure) -> None:
        """Fail a claimed job without calling anybody."""
        self._end(job, self._failed(job, failure))

    def cut(self, is_unwanted: Callable[[ClaimedJob], bool]) -> None:
        """Cut the calls of jobs that have ended or are another worker's, and drop those that wait for a slot."""
        never_started = self._suspects.discard(is_unwanted)
        for lane in self.lanes.values():
            never_started += lane.discard(is_unwanted)
        for job in never_started:
            self._unsent(job)
        for call in self._calls.values():
            if is_unwanted(call.job) and not call.task.cancelling():
                call.task.cancel()

    def cut_unheard(self, process: bytes) -> None:
        """Cut the streams of an API process that is gone: their jobs end as cancelled."""
        for call in self._calls.values():
            if call.stream is not None and call.stream.listener == process:
                call.stream.is_unheard = True
                call.task.cancel()

    def written(self, ended: Iterable[Settlement]) -> None:
        """Note that these ends are committed: only then may further suspects be tried, and bring this process down."""
        for each in ended:
            self._suspects.done(each.job_id, each.n)
            self._admission.limiter.unwritten.written(each.job_id, each.n)

    def listeners(self) -> frozenset[bytes]:
        """Name the API processes that streams go to."""
        return frozenset(call.stream.listener for call in self._calls.values() if call.stream and call.stream.listener)

    def holds(self) -> list[tuple[bytes, int]]:
        """(job id, n) of the calls in flight and of the jobs that wait for a slot."""
        waiting = chain(self._suspects.waiting(), *(lane.jobs() for lane in self.lanes.values()))
        return [*((job.id, job.n) for job in waiting), *self._calls]

    @property
    def in_flight(self) -> int:
        """How many calls are running."""
        return len(self._calls)

    async def drain(self, grace_ms: int) -> None:
        """Start nothing more, let running calls end within the grace, then cut them; every job is settled."""
        never_started = self._suspects.discard(lambda _: True)
        for lane in self.lanes.values():
            never_started += lane.close()
        for job in never_started:
            self._unsent(job)
        if self._calls:
            await asyncio.wait([call.task for call in self._calls.values()], timeout=grace_ms / 1000)
        self._stopping = True
        open_calls = [call.task for call in self._calls.values()]
        for task in open_calls:
            task.cancel()
        await asyncio.gather(*open_calls, return_exceptions=True)

    def _deployment(self, name: str, index: int) -> Deployment | None:
        route = self._routes.resolve(name)
        return route.at(index) if route else None

    def _admit(self, job: ClaimedJob) -> None:
        self.lanes[provider_of(job.queue)].add([job])

    def _unsent(self, job: ClaimedJob) -> None:
        self._suspects.done(job.id, job.n)
        self._end(job, conclude_unsent(job, self.now_ms()))

    def _leave(self, job: ClaimedJob, leaving: Leaving) -> None:
        """End the wait of a job that got no permit."""
        self._suspects.done(job.id, job.n)
        route = self._routes.resolve(job.route)
        assert route is not None
        self._end(job, conclude_leaving(job, leaving, route.at, self.now_ms()))

    def _start(self, job: ClaimedJob, gate: Gate) -> None:
        self._admission.limiter.started(gate)
        deployment = self._deployment(job.route, job.route_index)
        assert deployment is not None
        call = Call(job, gate, deployment, self._admission.health.started(gate, job))
        call.task = asyncio.get_running_loop().create_task(self._conclude(call))
        call.task.add_done_callback(lambda _: self._ended(call))
        self._calls[job.id, job.n] = call

    def _ended(self, call: Call) -> None:
        """Settle a call: in a callback, for a task cancelled before its first step never runs a line of its own."""
        job = call.job
        del self._calls[job.id, job.n]
        self._admission.limiter.ended(call.gate, job, lambda reserved: call.used(self._pricing, reserved))
        self._admission.health.ended(call.gate, job, call.reply, call.started_at_ms)
        if call.task.cancelled():
            settlement = self._cut_off(call)
        elif error := call.task.exception():
            _log.error("attempt %s.%d failed inside Laneway", job.id.hex(), job.n, exc_info=error)
            settlement = self._failed(job, Failure(ErrorClass.INTERNAL, f"internal error: {type(error).__name__}"))
        else:
            settlement = call.task.result()
        self._end(job, settlement, call.events)
        self.lanes[provider_of(job.queue)].done(job)
        self._told(call, settlement)

    def _end(self, job: ClaimedJob, settlement: Settlement, events: int = 0) -> None:
        """Hand on a settlement, with the deployment's names and what a waiting caller is to be told beside it."""
        if not settlement.provider:  # that of an answer says all of this
            settlement = signed(settlement, job, self.deployment_names(job.route, job.route_index), events)
        self._settle(settlement)

    def _cut_off(self, call: Call) -> Settlement:
        """Settle a cut call. A stream that its caller has a part of is not made again."""
        if not call.sent:
            return conclude_unsent(call.job, self.now_ms())
        if call.stream is not None and call.stream.is_unheard:
            return conclude_final(call.job, unheard())
        if call.stream is not None and call.stream.sent and self._stopping:
            return conclude_final(call.job, stopped())
        return conclude_cut(call.job, self.now_ms())

    async def _conclude(self, call: Call) -> Settlement:
        job = call.job
        if self._is_stale(job) or not await self._may_try(job):
            return conclude_unsent(job, self.now_ms())
        deployment = call.deployment
        left_ms = job.deadline_at_ms - self.now_ms()
        if left_ms <= 0:
            return self._failed(job, Failure(ErrorClass.EXPIRED, "the time for this request ran out before its call"))
        reply = await call.make(self._client, self._sinks, min(deployment.target.total_timeout_ms, left_ms))
        if isinstance(reply, Answer):
            call.reply = reply
            return conclude_answer(job, deployment, reply, self._pricing.price, events=call.events)
        if not call.sent:
            return conclude_refused(job, reply)
        if reply.error_class is ErrorClass.TIMEOUT and self.now_ms() >= job.deadline_at_ms:
            reply = replace(reply, error_class=ErrorClass.EXPIRED)  # not the provider's time ran out but the job's
        call.reply = reply
        if call.stream is not None and call.stream.sent:
            return conclude_final(job, reply)
        return self._failed(job, reply, counts=not self._admission.limiter.is_closed(call.gate.scope))

    async def _may_try(self, job: ClaimedJob) -> bool:
        """Write down that a watched job is tried now; False when that cannot be written."""
        if job.crashes >= WATCHED_CRASHES:
            try:
                await self._mark_watched(job.id, job.n)
            except StoreUnavailable:
                return False
        return True

    def _is_stale(self, job: ClaimedJob) -> bool:
        """Whether the job's lease has run out unrenewed (this process slept): another worker may have it by now."""
        if self._leases_hold_ms is None:
            return False
        renewed_at_ms, lease_ms = self._leases_hold_ms
        return self.now_ms() > max(renewed_at_ms, job.claimed_at_ms) + lease_ms

    def _failed(self, job: ClaimedJob, failure: Failure, *, counts: bool = True) -> Settlement:
        health, provider = self._admission.health, provider_of(job.queue)
        moment = Moment(
            now_ms=self.now_ms(),
            jitter=random.random(),
            standing=self._admission.standings.of,
            retry_delay_ms=lambda: health.retry_delay_ms(provider),
            counts=counts,
        )
        return conclude_failure(job, self._routes.resolve(job.route), failure, self._policy, moment)
