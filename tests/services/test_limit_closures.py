"""Closures: a scope that must rest gets nothing, then one probe at a time, and is open again after a success."""

from collections.abc import AsyncIterator

import pytest

from providers.limit import DAY_MS
from router.scope import Scope
from router.standing import Closed
from store.limits import Grant, LimitStore, Refusal, ScopeState
from tests.services.limit_world import ACME, SMALL, LimitWorld, ask, limit_world, limited, per_minute

BOTH = limited(ACME), limited(SMALL)


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[LimitWorld]:
    async with limit_world(redis_url) as world:
        yield world


async def state_of(store: LimitStore, scope: Scope = ACME) -> ScopeState:
    return (await store.states({scope: ()}))[scope]


async def refuse(store: LimitStore, retry_after_ms: int | None = None) -> None:
    await store.refused(ACME, Refusal(retry_after_ms, per_minute=0, is_whole=True, has_limits=True))


def why(grant: Grant) -> tuple[int, Closed | None, int]:
    return grant.granted, grant.binding and grant.binding.closed, grant.wait_ms


async def test_a_closed_scope_grants_nothing_to_any_process_until_it_ends(world: LimitWorld) -> None:
    one, two = world.process(1), world.process(2)
    await refuse(one, 7_000)
    assert why(await two.take(ask(*BOTH))) == (0, Closed.RATE_LIMIT, 7_000)
    world.now_ms += 6_999
    assert why(await two.take(ask(*BOTH))) == (0, Closed.RATE_LIMIT, 1)
    world.now_ms += 1
    assert (await two.take(ask(*BOTH, calls=10))).granted == 10


async def test_the_closure_of_one_deployment_leaves_its_provider_open(world: LimitWorld) -> None:
    store = world.process()
    await store.close(SMALL, Closed.FAILING, 1_000)
    assert (await store.take(ask(*BOTH))).granted == 0
    assert (await store.take(ask(limited(ACME)))).granted == 1


async def test_after_a_second_refusal_in_a_row_one_probe_a_second_goes_through(world: LimitWorld) -> None:
    store = world.process()
    await refuse(store)
    world.now_ms += 500
    assert (await store.take(ask(*BOTH, calls=5))).granted == 5
    await refuse(store)
    assert why(await store.take(ask(*BOTH, calls=5))) == (0, Closed.RATE_LIMIT, 1_000)
    world.now_ms += 1_000
    probe = await store.take(ask(*BOTH, calls=5))
    assert why(probe) == (1, Closed.RATE_LIMIT, 1_000)
    assert why(await store.take(ask(*BOTH, calls=5))) == (0, Closed.RATE_LIMIT, 1_000)
    world.now_ms += 1_000
    assert (await store.take(ask(*BOTH, calls=5))).granted == 1
    assert (await state_of(store)).is_probing
    await store.succeeded(ACME)
    assert (await state_of(store)).closed is None
    assert (await store.take(ask(*BOTH, calls=5))).granted == 5


async def test_without_retry_after_the_waits_double_up_to_15_s(world: LimitWorld) -> None:
    store, waits_ms = world.process(), []
    for _ in range(7):
        await refuse(store)
        waits_ms.append((await state_of(store)).closed_for_ms)
        world.now_ms += waits_ms[-1]
    assert waits_ms == [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]


async def test_refusals_that_come_together_count_once(world: LimitWorld) -> None:
    store = world.process()
    for _ in range(5):
        await refuse(store, 100)
        world.now_ms += 50
    assert (await state_of(store)).strikes == 1
    world.now_ms += 300
    await refuse(store, 100)
    assert (await state_of(store)).strikes == 2


async def test_refusals_of_calls_that_began_before_the_closure_do_not_count(world: LimitWorld) -> None:
    store = world.process()
    await refuse(store, 10_000)
    world.now_ms += 5_000
    await refuse(store, 1_000)
    found = await state_of(store)
    assert (found.strikes, found.closed_for_ms) == (1, 5_000)
    await refuse(store, 9_000)
    assert (await state_of(store)).closed_for_ms == 9_000


async def test_a_success_forgets_strikes_but_ends_no_closure_that_still_runs(world: LimitWorld) -> None:
    store = world.process()
    await refuse(store, 1_000)
    await store.succeeded(ACME)
    assert (await state_of(store)).closed is Closed.RATE_LIMIT
    world.now_ms += 1_000
    assert (await state_of(store)).strikes == 1
    await store.succeeded(ACME)
    assert (await state_of(store)).strikes == 0


async def test_a_strike_is_forgotten_after_a_quiet_minute(world: LimitWorld) -> None:
    store = world.process()
    await refuse(store, 1_000)
    world.now_ms += 62_000
    await refuse(store, 1_000)
    assert (await state_of(store)).strikes == 1


GAPS_S = {
    Closed.FAILING: [5, 10, 20, 30, 30],
    Closed.AUTH: [30, 60, 120, 240, 480, 600, 600],
    Closed.BILLING: [60, 120, 240, 480, 600, 600],
}


@pytest.mark.parametrize("reason", GAPS_S)
async def test_probes_that_fail_come_ever_more_seldom(world: LimitWorld, reason: Closed) -> None:
    store, gaps_s, gap_ms = world.process(), [], 400
    for _ in GAPS_S[reason]:
        await store.close(ACME, reason, 400)
        world.now_ms += gap_ms
        assert (await store.take(ask(*BOTH, calls=5))).granted == 1
        gap_ms = (await store.take(ask(*BOTH))).wait_ms
        gaps_s.append(gap_ms // 1_000)
        assert (await state_of(store)).closed is reason
    assert gaps_s == GAPS_S[reason]


async def test_a_probe_waits_for_its_limits_like_every_call(world: LimitWorld) -> None:
    store, account = world.process(), limited(ACME, per_minute(6_000))
    await store.close(ACME, Closed.FAILING, 1)
    world.now_ms += 1
    waiting = await store.take(ask(account))
    assert why(waiting)[:2] == (0, None)
    world.now_ms += waiting.wait_ms
    assert (await store.take(ask(account, calls=5))).granted == 1


async def test_the_closure_that_lasts_longer_gives_the_reason(world: LimitWorld) -> None:
    store = world.process()
    await store.close(ACME, Closed.BILLING, 60_000)
    await refuse(store, 1_000)
    assert (await state_of(store)).closed is Closed.BILLING
    await refuse(store, 10 * DAY_MS)
    found = await state_of(store)
    assert (found.closed, found.closed_for_ms) == (Closed.RATE_LIMIT, DAY_MS)


@pytest.mark.parametrize("reason", [Closed.PAUSED, Closed.DRAINING])
async def test_what_an_operator_sets_is_not_kept_here(world: LimitWorld, reason: Closed) -> None:
    with pytest.raises(ValueError, match="operator"):
        await world.process().close(ACME, reason, 1_000)
