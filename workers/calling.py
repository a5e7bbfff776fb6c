"""Calling: all that a process needs to make calls - the engine, what it knows of limits, its connections."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from providers.client import ProviderClient
from providers.limit import Demand, Limit
from providers.prices import PriceBook
from router.breaker import BreakerPolicy
from router.decision import RetryPolicy
from router.live import LiveRows, live_of
from router.retry_budget import RetryBudgetPolicy
from router.routes import Deployment, RouteTable
from router.routing_schema import RoutingConfig
from router.scope import Scope
from store.claim import ClaimedJob
from store.database import Database
from store.leases import mark_watched
from store.limits import LimitStore, ScopeState
from store.replies import Replies
from store.sealing import PLAIN, Sealer
from store.settlement import Settlement
from workers.admission import Admission
from workers.call import Call
from workers.call_log import log_ended
from workers.call_watch import CallWatch, NoWatch
from workers.clock import Clock
from workers.engine import Engine, EngineNeeds
from workers.gate import Gate
from workers.health import Health
from workers.limit_watch import LimitWatch
from workers.limiter import Limiter
from workers.pricing import Pricing
from workers.sinks import Sinks
from workers.standings import Standings
from workers.tally import Tally

LimitStates = Callable[[Mapping[Scope, tuple[Limit, ...]]], Awaitable[dict[Scope, ScopeState]]]


@dataclass(frozen=True, slots=True)
class CallRules:
    """What the configuration says of calls."""

    routes: RouteTable
    prices: PriceBook = field(default_factory=PriceBook)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    retry_budget: RetryBudgetPolicy = field(default_factory=RetryBudgetPolicy)

    @staticmethod
    def of(routes: RouteTable, routing: RoutingConfig) -> "CallRules":
        """Take them from a configuration's section."""
        return CallRules(
            routes,
            retry=routing.retry_policy(),
            breaker=routing.breaker.policy(),
            retry_budget=routing.retry_budget.policy(),
        )


class Calling:
    """The calling part of a process; database and reply channels stay their owner's. Make it on the event loop."""

    def __init__(
        self,
        process_id: bytes,
        rules: CallRules,
        database: Database,
        replies: Replies,
        state_url: str,
        settle: Callable[[Settlement], None],
        watch_ms: int,
        sealer: Sealer = PLAIN,
        call_watch: CallWatch | None = None,
    ) -> None:
        self._database = database
        self._client = ProviderClient()
        self._buckets = LimitStore(state_url, process_id)
        self._pricing = Pricing(rules.prices)
        self._clock = clock = Clock()
        self.tally = Tally(database, clock.now_ms)
        self.call_watch = call_watch or NoWatch()
        limiter = Limiter(self._buckets, live_of(rules.routes.limits, LiveRows()), clock.now_ms, self._demand)
        self._health = Health(limiter, rules.breaker, rules.retry_budget, clock.now_ms)
        self.standings = Standings(limiter, self._pricing.cost, clock.now_ms)
        admission = Admission(rules.routes.resolve, limiter, self._health, self.standings)
        self._limiter = limiter
        sinks = Sinks(replies, database, sealer)
        needs = EngineNeeds(
            rules.routes, self._pricing, self._client, rules.retry, sinks, admission, clock, self._ended
        )
        self.engine = Engine(needs, settle, self._mark_watched)
        self.watch = watch = LimitWatch(database, self._buckets, rules.routes, admission, self.engine, watch_ms)
        limiter.missing = watch.look

    @property
    def limit_states(self) -> LimitStates:
        """Reads what all processes know of limits."""
        return self._buckets.states

    def gate(self, deployment: Deployment, key_id: bytes) -> Gate:
        """The gate of a deployment for one of our callers."""
        return self._limiter.gate(deployment, key_id)

    async def aclose(self) -> None:
        """Say what is left to be said of limits and calls, and close the connections."""
        await self.tally.flush()
        await self.call_watch.flush()
        await self._limiter.close_down()
        await self._buckets.aclose()
        await self._client.aclose()

    def _ended(self, call: Call, settlement: Settlement) -> None:
        self.tally.called(call, settlement)
        now_ms = self._clock.now_ms()
        log_ended(call, settlement, now_ms)
        self.call_watch.ended(call, settlement, now_ms)

    def _demand(self, gate: Gate, job: ClaimedJob) -> Demand:
        return self._pricing.demand(gate.deployment, job, self._health.book(gate.deployment).estimate)

    async def _mark_watched(self, job_id: bytes, n: int) -> None:
        await self._database.write(mark_watched, job_id, n)
