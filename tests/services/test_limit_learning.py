"""Learned limits: where nobody tells one, refusals find it."""

from collections.abc import AsyncIterator

import pytest

from providers.limit import MINUTE_MS
from store.limits import LimitSource, LimitStore, Refusal, Report
from tests.services.limit_world import ACME, LimitWorld, ask, limit_world, limited, per_minute

OPEN = limited(ACME)


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[LimitWorld]:
    async with limit_world(redis_url) as world:
        yield world


async def learned(store: LimitStore) -> int | None:
    """The amount of the learned limit; None where there is none."""
    gauges = (await store.states({ACME: ()}))[ACME].gauges
    return next((each.amount for each in gauges if each.source is LimitSource.LEARNED), None)


async def refuse(store: LimitStore, per_minute: int, *, has_limits: bool = False) -> None:
    await store.refused(ACME, Refusal(400, per_minute, is_whole=True, has_limits=has_limits))


async def test_the_first_refusal_teaches_what_all_processes_together_had_accepted(world: LimitWorld) -> None:
    one, two = world.process(1), world.process(2)
    for store, accepted in ((one, 450), (two, 300)):
        await store.report([Report(ACME, 0, 0, accepted, None)], {})
    await refuse(one, 500)
    assert await learned(two) == 800


async def test_few_calls_teach_nothing(world: LimitWorld) -> None:
    store = world.process()
    await refuse(store, 19)
    assert await learned(store) is None


async def test_less_than_a_whole_minute_is_a_guess_that_is_left_behind_quickly(world: LimitWorld) -> None:
    store = world.process()
    await store.refused(ACME, Refusal(400, 500, is_whole=False, has_limits=False))
    assert await learned(store) == 500
    world.now_ms += 5_000
    assert await learned(store) == int(500 * 1.25**5)
    await store.succeeded(ACME)
    await store.refused(ACME, Refusal(400, 700, is_whole=False, has_limits=False))
    assert await learned(store) == 700
    world.now_ms += 60_000
    await store.succeeded(ACME)
    await refuse(store, 650)
    world.now_ms += 2_000
    assert 650 <= (await learned(store) or 0) <= 660


async def test_a_burst_that_used_up_a_minute_teaches_what_the_minute_takes(world: LimitWorld) -> None:
    store = world.process()
    for passed_s, pace in ((10, 7_200), (11, 6_545), (13, 5_538), (20, 3_600), (58, 1_241)):
        world.now_ms = passed_s * 1_000
        await store.refused(ACME, Refusal(None, pace, is_whole=False, has_limits=False))
    assert await learned(store) == 1_241
    await store.succeeded(ACME)
    world.now_ms += 2_000
    assert 1_241 <= (await learned(store) or 0) <= 1_250


async def test_nothing_is_learned_where_a_limit_is_known(world: LimitWorld) -> None:
    store = world.process()
    await refuse(store, 500, has_limits=True)
    assert await learned(store) is None


async def test_a_limit_that_is_set_replaces_the_learned_one(world: LimitWorld) -> None:
    store = world.process()
    await refuse(store, 500)
    (gauge,) = (await store.states({ACME: (per_minute(100),)}))[ACME].gauges
    assert (gauge.amount, gauge.source) == (100, LimitSource.CONFIGURED)


async def test_a_learned_limit_paces_calls(world: LimitWorld) -> None:
    store = world.process()
    await refuse(store, 600)
    world.now_ms += 30_000
    grant = await store.take(ask(OPEN, calls=100))
    assert grant.granted == 0
    world.now_ms += 1_000
    assert 3 <= (await store.take(ask(OPEN, calls=100))).granted <= 5


async def test_a_later_refusal_cuts_to_nine_tenths_of_what_was_accepted_once_in_5_s(world: LimitWorld) -> None:
    store = world.process()
    await refuse(store, 1_000)
    world.now_ms += 40_000
    await store.succeeded(ACME)
    await refuse(store, 1_300)
    held = await learned(store) or 0
    assert 1_000 <= held <= 1_100
    world.now_ms += 900
    await store.succeeded(ACME)
    await refuse(store, 900)
    assert await learned(store) in range(held, held + held // 16)
    world.now_ms += 4_200
    await store.succeeded(ACME)
    await refuse(store, 1_000)
    assert 885 <= (await learned(store) or 0) <= 1_020


async def test_the_same_figure_twice_is_the_limit(world: LimitWorld) -> None:
    """However high the first guess was."""
    store = world.process()
    await refuse(store, 30_000)
    for _ in range(2):
        world.now_ms += 62_000
        await store.succeeded(ACME)
        await refuse(store, 1_200)
    assert await learned(store) == 0.96 * 1_200


async def test_one_refusal_takes_at_most_a_fifth_away(world: LimitWorld) -> None:
    """While the rate still climbs, the last minute's sum is far below what the provider takes."""
    store = world.process()
    await refuse(store, 1_000)
    world.now_ms += 10_000
    await store.succeeded(ACME)
    await refuse(store, 50)
    assert 800 <= (await learned(store) or 0) <= 820


async def test_a_storm_closes_and_does_not_slow_down(world: LimitWorld) -> None:
    store = world.process()
    await refuse(store, 1_000)
    for _ in range(10):
        world.now_ms += 6_000
        await refuse(store, 10)
    assert (await learned(store) or 0) >= 1_000


async def test_growth_is_quick_to_the_ceiling_then_slow_and_ends_only_where_nobody_uses_it(world: LimitWorld) -> None:
    store = world.process()
    await refuse(store, 800)
    world.now_ms += 40_000
    await store.succeeded(ACME)
    await refuse(store, 1_000)
    cut = await learned(store) or 0

    async def grow(steps: int, step_ms: int, calls: int) -> list[int]:
        amounts = []
        for _ in range(steps):
            world.now_ms += step_ms
            await store.take(ask(OPEN, calls=calls))
            amounts.append(await learned(store) or 0)
        return amounts

    amounts = await grow(120, 1_000, calls=1)
    assert 1.04 * cut <= amounts[0] <= 1.06 * cut
    assert 969 <= amounts[3] <= 980
    assert 985 <= amounts[12] <= 1_000
    assert amounts == sorted(amounts)
    assert (await grow(300, 1_000, calls=1))[-1] == 2_000
    assert (await grow(500, 250, calls=128))[-1] > 2_500


async def test_an_idle_hour_teaches_nothing_and_a_closure_stops_nothing(world: LimitWorld) -> None:
    store = world.process()
    await refuse(store, 1_000)
    world.now_ms += 3_600_000
    await store.take(ask(OPEN))
    assert 1_100 <= (await learned(store) or 0) <= 1_150
    held = await learned(store) or 0
    await store.refused(ACME, Refusal(30_000, 10_000, is_whole=True, has_limits=False))
    world.now_ms += 30_000
    await store.take(ask(OPEN))
    assert (await learned(store) or 0) > held


async def test_the_learned_limit_settles_near_the_real_one(world: LimitWorld) -> None:
    """A provider that takes 600 calls in any minute: known after 3 minutes, then used to 90 % and rarely exceeded."""
    store, taken, refused_ms = world.process(), list[int](), list[int]()
    begin_ms = world.now_ms
    while world.now_ms < begin_ms + 8 * MINUTE_MS:
        grant = await store.take(ask(OPEN, calls=20))
        for _ in range(grant.granted):
            lately = sum(each > world.now_ms - MINUTE_MS for each in taken[-600:])
            if lately < 600:
                taken.append(world.now_ms)
                continue
            refused_ms.append(world.now_ms)
            await store.refused(ACME, Refusal(None, lately, is_whole=True, has_limits=False))
        if taken[-1] == world.now_ms:
            await store.succeeded(ACME)
        world.now_ms += max(100, grant.wait_ms)
    late_ms = begin_ms + 3 * MINUTE_MS
    served = sum(each >= late_ms for each in taken)
    assert served >= 5 * 600 * 0.9
    assert sum(each >= late_ms for each in refused_ms) <= served * 0.01
