"""Slots: calls in flight are limited over all processes, and nothing that dies or gets lost keeps one for ever."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from router.scope import Scope
from store.limits import LimitStore, Report
from tests.services.limit_world import ACME, SMALL, LimitWorld, ask, limit_world, limited, slots
from tests.valkey_server import ValkeyServer

FIVE = limited(ACME, slots(5))


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[LimitWorld]:
    async with limit_world(redis_url) as world:
        yield world


async def free_slots(store: LimitStore, scope: Scope = ACME, amount: int = 5) -> int:
    """What the gauges of a scope leave."""
    (gauge,) = (await store.states({scope: (slots(amount),)}))[scope].gauges
    return amount - gauge.used


def told(scope: Scope, in_flight: int) -> Report:
    return Report(scope, in_flight, waiting=0, per_minute=0, us_per_output_token=None)


async def test_processes_share_the_slots(world: LimitWorld) -> None:
    one, two = world.process(1), world.process(2)
    assert (await one.take(ask(FIVE, calls=3))).granted == 3
    second = await two.take(ask(FIVE, calls=3))
    assert second.granted == 2
    assert second.wait_ms > 0
    assert second.binding is not None
    assert second.binding.used_permille == 1_000


async def test_a_slot_is_free_as_soon_as_its_process_tells_a_lower_count(world: LimitWorld) -> None:
    one, two = world.process(1), world.process(2)
    await one.take(ask(FIVE, calls=5))
    await one.running({ACME: 3})
    assert (await two.take(ask(FIVE, calls=5))).granted == 2
    await one.report([told(ACME, 1)], {ACME: FIVE.limits})
    assert (await two.take(ask(FIVE, calls=5, running=2))).granted == 2
    assert (await one.take(ask(FIVE, calls=5, running=0))).granted == 1


async def test_the_slots_of_a_killed_process_come_back(world: LimitWorld) -> None:
    killed, other = world.process(1), world.process(2)
    await killed.take(ask(FIVE, calls=5))
    world.now_ms += 14_999
    assert (await other.take(ask(FIVE, calls=5))).granted == 0
    world.now_ms += 1
    assert (await other.take(ask(FIVE, calls=5))).granted == 5


async def test_long_calls_keep_their_slots_as_long_as_their_process_reports(world: LimitWorld) -> None:
    busy, other = world.process(1), world.process(2)
    await busy.take(ask(FIVE, calls=5))
    for _ in range(60):
        world.now_ms += 1_000
        await busy.report([told(ACME, 5)], {ACME: FIVE.limits})
    assert (await other.take(ask(FIVE))).granted == 0


async def test_asks_of_one_process_that_overlap_count_each_others_grants(world: LimitWorld) -> None:
    store = world.process()
    grants = await asyncio.gather(*(store.take(ask(FIVE, calls=2)) for _ in range(6)))
    assert sum(each.granted for each in grants) == 5


async def test_a_count_that_is_overtaken_by_a_newer_one_changes_nothing(world: LimitWorld) -> None:
    """A report is on its way while calls end: the later, lower count may arrive first."""
    store, overtaken = world.process(1), world.process(1)
    await store.take(ask(FIVE, calls=5))
    await overtaken.take(ask(FIVE, calls=0, running=5))
    await store.running({ACME: 1})
    await overtaken.running({ACME: 6})
    assert await free_slots(store) == 4


async def test_permits_that_got_lost_on_the_way_are_forgotten(world: LimitWorld) -> None:
    store, answered_to_nobody = world.process(1), world.process(1)
    await store.take(ask(FIVE, calls=1))
    await answered_to_nobody.take(ask(FIVE, calls=3, running=1))
    assert (await store.take(ask(FIVE, calls=5, running=1))).granted == 1
    failing = asyncio.create_task(store.take(ask(FIVE, calls=0, running=2)))
    await asyncio.sleep(0)
    failing.cancel()
    await asyncio.wait([failing])
    assert failing.cancelled()
    assert (await store.take(ask(FIVE, calls=5, running=2))).granted == 3


async def test_a_flushed_redis_learns_the_counts_anew(world: LimitWorld, valkey_server: ValkeyServer) -> None:
    one, two = world.process(1), world.process(2)
    await one.take(ask(FIVE, calls=4))
    valkey_server.flush()
    assert (await one.take(ask(FIVE, calls=0, running=4))).granted == 0
    assert (await two.take(ask(FIVE, calls=5))).granted == 1


async def test_a_limit_that_is_set_later_counts_the_calls_that_run(world: LimitWorld) -> None:
    store = world.process()
    assert (await store.take(ask(limited(ACME), calls=4))).granted == 4
    assert (await store.take(ask(FIVE, calls=5, running=4))).granted == 1


async def test_batches_leave_a_tenth_of_the_slots(world: LimitWorld) -> None:
    store, forty = world.process(), limited(SMALL, slots(40))
    assert (await store.take(ask(forty, calls=50, is_batch=True))).granted == 36
    assert (await store.take(ask(forty, calls=50, running=36))).granted == 4
