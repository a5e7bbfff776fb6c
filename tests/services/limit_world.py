"""A world of limits: processes that share one Redis, on a clock that only the test moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from providers.limit import DAY_MS, Demand, Limit, Measure
from router.scope import Scope, ScopeLimits, deployment_scope, key_scope, provider_scope
from store.limits import Ask, LimitStore

ACME = provider_scope("acme")
SMALL = deployment_scope("acme", "small")
CALLER = key_scope(b"\x07" * 16)


class LimitWorld:
    """The clock and the processes of one test."""

    def __init__(self, redis_url: str) -> None:
        self.now_ms = 1_700_000_000_123
        self._redis_url = redis_url
        self._opened: list[LimitStore] = []

    def process(self, name: int = 1) -> LimitStore:
        """Start a process; the same name again is the same process with another connection."""
        store = LimitStore(self._redis_url, bytes([name]) * 16, now_ms=lambda: self.now_ms)
        self._opened.append(store)
        return store

    async def close(self) -> None:
        """End all processes."""
        for store in self._opened:
            await store.aclose()


@asynccontextmanager
async def limit_world(redis_url: str) -> AsyncIterator[LimitWorld]:
    """Open a world, close what was opened in it."""
    world = LimitWorld(redis_url)
    try:
        yield world
    finally:
        await world.close()


def per_minute(amount: int, measure: Measure = Measure.REQUESTS) -> Limit:
    """A limit that counts over a minute."""
    return Limit(measure, amount)


def per_day(amount: int) -> Limit:
    """A limit of requests a day."""
    return Limit(Measure.REQUESTS, amount, DAY_MS)


def slots(amount: int) -> Limit:
    """A limit of calls in flight."""
    return Limit(Measure.PARALLEL, amount, 0)


def limited(scope: Scope, *limits: Limit) -> ScopeLimits:
    """A scope with its limits."""
    return ScopeLimits(scope, limits)


def ask(*scopes: ScopeLimits, calls: int = 1, tokens: int = 0, is_batch: bool = False, running: int = 0) -> Ask:
    """An ask for equal calls, each of so many input tokens."""
    return Ask(scopes, (Demand(input_tokens=tokens),) * calls, is_batch, (running,) * len(scopes))
