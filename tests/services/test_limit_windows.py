"""Long windows: a day's quota is counted, survives the loss of Redis, and slides."""

from collections.abc import AsyncIterator

import pytest

from providers.limit import DAY_MS, LimitReading, Measure
from tests.services.limit_world import ACME, LimitWorld, ask, limit_world, limited, per_day
from tests.valkey_server import ValkeyServer

HUNDRED = limited(ACME, per_day(100))
HOUR_MS = 3_600_000


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[LimitWorld]:
    async with limit_world(redis_url) as world:
        yield world


async def test_nothing_is_granted_until_somebody_tells_what_was_used(world: LimitWorld) -> None:
    store = world.process()
    unknown = await store.take(ask(HUNDRED))
    assert (unknown.granted, unknown.unseeded) == (0, ((ACME, per_day(100)),))
    assert 0 < unknown.wait_ms <= 50
    await store.seed(ACME, Measure.REQUESTS, DAY_MS, 97)
    known = await store.take(ask(HUNDRED, calls=10))
    assert (known.granted, known.unseeded, known.wait_ms) == (3, (), 1_000)
    assert known.binding is not None
    assert known.binding.used_permille == 1_000
    assert 23 * HOUR_MS < known.binding.wait_ms <= 25 * HOUR_MS


async def test_only_the_first_seed_counts(world: LimitWorld) -> None:
    store = world.process()
    await store.seed(ACME, Measure.REQUESTS, DAY_MS, 90)
    await store.take(ask(HUNDRED, calls=5))
    await store.seed(ACME, Measure.REQUESTS, DAY_MS, 0)
    assert (await store.take(ask(HUNDRED, calls=10))).granted == 5


async def test_a_lost_redis_gives_no_second_quota(world: LimitWorld, valkey_server: ValkeyServer) -> None:
    store = world.process()
    await store.seed(ACME, Measure.REQUESTS, DAY_MS, 0)
    assert (await store.take(ask(HUNDRED, calls=100))).granted == 100
    valkey_server.flush()
    assert (await store.take(ask(HUNDRED))).granted == 0


async def test_a_day_slides_and_no_24_hours_have_more_than_the_limit(world: LimitWorld) -> None:
    store, granted = world.process(), list[int]()
    await store.seed(ACME, Measure.REQUESTS, DAY_MS, 0)
    for hour in range(80):
        world.now_ms += HOUR_MS - 1_234_567 * (hour % 2) + 1_234_567
        granted += [world.now_ms] * (await store.take(ask(HUNDRED, calls=7))).granted
    for begin_ms in granted:
        assert len([each for each in granted if begin_ms <= each < begin_ms + DAY_MS]) <= 100
    assert len(granted) >= 250


async def test_after_the_wait_there_is_room(world: LimitWorld) -> None:
    store = world.process()
    await store.seed(ACME, Measure.REQUESTS, DAY_MS, 100)
    refused = await store.take(ask(HUNDRED))
    assert refused.binding is not None
    world.now_ms += refused.binding.wait_ms - 1
    assert (await store.take(ask(HUNDRED))).granted == 0
    world.now_ms += 1
    assert (await store.take(ask(HUNDRED))).granted == 1


async def test_headers_seed_the_window_that_they_tell_of(world: LimitWorld) -> None:
    store = world.process()
    await store.learn(ACME, [LimitReading(Measure.REQUESTS, DAY_MS, limit=1_000, remaining=4)], age_ms=0)
    assert (await store.take(ask(limited(ACME), calls=10))).granted == 4
    assert (await store.take(ask(HUNDRED, calls=10))).granted == 0
