"""The limiter gives permits: none are needed where nothing is limited, and no process takes more than all may."""

from collections.abc import AsyncIterator

import pytest

from providers.limit import Demand, Limit, LimitReading, Measure
from router.live import Live
from router.scope import Scope, deployment_scope, provider_scope
from router.standing import Closed
from store.limits import Refusal
from tests.services.calling_world import (
    KEY,
    LARGE,
    LIMITED_KEY,
    OTHER,
    SMALL,
    CallingWorld,
    Process,
    calling_world,
    jobs,
    live,
)
from tests.services.limit_world import per_day, per_minute, slots
from tests.valkey_server import ValkeyServer

ACME = provider_scope("acme")
SCOPE = deployment_scope("acme", "small")


def limited(*limits: Limit) -> Live:
    return live({SCOPE: limits})


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[CallingWorld]:
    async with calling_world(redis_url) as world:
        yield world


async def most_of(world: CallingWorld, processes: list[Process], span_ms: int) -> list[int]:
    """Let processes ask for as much as they can get for so long; returns the times of the calls granted."""
    at: list[int] = []
    for _ in range(span_ms // 100):
        world.pass_ms(100)
        for process in processes:
            grant = await process.ask(40)
            at += [process.now_ms()] * grant.granted
    return at


def most_in_a_minute(at: list[int]) -> int:
    return max(sum(start <= each < start + 60_000 for each in at) for start in at)


async def test_where_nothing_is_limited_a_gate_is_free(world: CallingWorld) -> None:
    process = world.process()
    assert process.gate().is_free
    await process.look()
    assert process.gate().is_free


@pytest.mark.parametrize("scope", [ACME, SCOPE])
async def test_a_limit_of_the_provider_or_of_the_deployment_makes_its_gate_ask(
    world: CallingWorld, scope: Scope
) -> None:
    process = world.process(settings=live({scope: (per_minute(600),)}))
    assert not process.gate().is_free
    assert process.gate(OTHER).is_free


async def test_what_headers_told_makes_the_gates_of_every_process_ask(world: CallingWorld) -> None:
    one, two = world.process(1), world.process(2)
    assert two.gate().is_free
    one.gate()
    one.limiter.learn(SCOPE, [LimitReading(Measure.TOKENS, 60_000, limit=1_000)], 0)
    await one.look()
    await two.look()
    assert (one.gate().is_free, two.gate().is_free) == (False, False)
    assert two.gate().counts_tokens


async def test_a_configured_limit_is_used_up_and_kept_by_all_processes_together(world: CallingWorld) -> None:
    settings = limited(per_minute(600))
    at = await most_of(world, [world.process(1, settings), world.process(2, settings)], 180_000)
    assert most_in_a_minute(at) <= 600
    assert len(at) >= 3 * 600 * 0.97


async def test_permits_are_counted_once_for_each_scope(world: CallingWorld) -> None:
    process = world.process(settings=live({ACME: (per_minute(120),), SCOPE: (per_minute(600),)}))
    at = await most_of(world, [process], 120_000)
    assert most_in_a_minute(at) <= 120
    assert len(at) >= 230


async def test_what_a_call_did_not_use_goes_back(world: CallingWorld) -> None:
    process = world.process(settings=limited(per_minute(100_000, Measure.TOKENS)))
    process.tokens = 500
    await process.ask()
    world.pass_ms(60_000)
    granted = (await process.ask(100)).granted
    assert 0 < granted < 100
    assert (await process.ask(first=200)).granted == 0
    for job in jobs(granted):
        process.limiter.started(process.gate())
        process.limiter.ended(process.gate(), job, lambda reserved: Demand(reserved.input_tokens // 10))
    await process.said()
    assert (await process.ask(first=300)).granted == 1


async def test_what_a_call_took_beyond_its_estimate_is_paid_later(world: CallingWorld) -> None:
    process = world.process(settings=limited(per_minute(6_000, Measure.TOKENS)))
    process.tokens = 10
    await process.ask()
    world.pass_ms(60_000)
    (job,) = jobs(1)
    assert (await process.ask()).granted == 1
    process.limiter.started(process.gate())
    process.limiter.ended(process.gate(), job, lambda _: Demand(1_000))
    await process.said()
    grant = await process.ask(first=1)
    assert (grant.granted, grant.binding is not None) == (0, True)
    world.pass_ms(5_000)
    assert (await process.ask(first=1)).granted == 0
    world.pass_ms(10_000)
    assert (await process.ask(first=1)).granted == 1


async def test_slots_of_calls_that_ended_come_back(world: CallingWorld) -> None:
    settings = limited(slots(3))
    one, two = world.process(1, settings), world.process(2, settings)
    assert ((await one.ask(2)).granted, (await two.ask(2)).granted) == (2, 1)
    for process in (one, one, two):
        process.limiter.started(process.gate())
    assert (await two.ask(first=5)).granted == 0
    one.limiter.ended(one.gate(), jobs(1)[0], lambda _: None)
    await one.said()
    assert (await two.ask(2, first=5)).granted == 1


async def test_a_closure_holds_its_own_process_at_once_and_others_when_they_look(world: CallingWorld) -> None:
    one, two = world.process(1), world.process(2)
    assert (one.gate().is_free, two.gate().is_free) == (True, True)
    one.limiter.close(SCOPE, Closed.FAILING, 5_000)
    assert not one.gate().is_free
    grant = await one.ask()  # waits until the closure is told
    assert (grant.granted, grant.binding and grant.binding.closed) == (0, Closed.FAILING)
    await two.look()
    assert not two.gate().is_free
    assert (await two.ask()).granted == 0
    assert two.gate(LARGE).is_free


async def test_a_closed_provider_closes_all_its_deployments(world: CallingWorld) -> None:
    process = world.process()
    process.gate(LARGE)
    process.limiter.close(ACME, Closed.BILLING, 60_000)
    assert [(await process.ask(1, each)).granted for each in (SMALL, LARGE)] == [0, 0]
    assert process.gate(OTHER).is_free


async def test_after_a_closure_one_probe_goes_through_and_a_success_opens_it(world: CallingWorld) -> None:
    one, two = world.process(1), world.process(2)
    one.limiter.close(SCOPE, Closed.FAILING, 5_000)
    await one.look()
    world.pass_ms(5_000)
    await two.look()
    grants = [await process.ask(3) for process in (one, two)]
    assert [grant.granted for grant in grants] == [1, 0]
    one.limiter.succeeded(SCOPE)
    await one.look()
    await two.look()
    assert (one.gate().is_free, two.gate().is_free) == (True, True)
    assert one.limiter.closure(SCOPE) is None


async def test_a_closure_made_while_a_report_was_under_way_is_not_undone_by_it(world: CallingWorld) -> None:
    process = world.process()
    process.gate()
    asked_ms, states = process.now_ms(), await process.states()
    world.pass_ms(1)
    process.limiter.close(SCOPE, Closed.FAILING, 5_000)
    process.limiter.update(states, asked_ms)
    assert process.limiter.closure(SCOPE) == (Closed.FAILING, 5_000)
    assert not process.gate().is_free
    await process.look()
    assert process.limiter.closure(SCOPE) == (Closed.FAILING, 5_000)


async def test_a_closure_is_never_shortened_by_another(world: CallingWorld) -> None:
    process = world.process()
    process.limiter.close(SCOPE, Closed.AUTH, 30_000)
    process.limiter.refused(SCOPE, Refusal(retry_after_ms=1_000, per_minute=0, is_whole=True, has_limits=True))
    assert process.limiter.closure(SCOPE) == (Closed.AUTH, 30_000)
    await process.look()
    assert process.limiter.closure(SCOPE) == (Closed.AUTH, 30_000)


@pytest.mark.parametrize("name", ["provider/acme", "deployment/acme/small"])
async def test_a_paused_scope_gives_nothing_until_it_runs_again(world: CallingWorld, name: str) -> None:
    process = world.process(settings=live(overrides=((name, '{"state": "paused"}'),)))
    assert not process.gate().is_free
    grant = await process.ask()
    assert (grant.granted, grant.binding and grant.binding.closed) == (0, Closed.PAUSED)
    process.limiter.live = live()
    process.limiter.refresh()
    assert process.gate().is_free
    assert process.gate().wake.is_set()


async def test_a_drained_scope_still_serves_what_it_has(world: CallingWorld) -> None:
    process = world.process(settings=live(overrides=(("provider/acme", '{"state": "draining"}'),)))
    assert process.gate().is_free


async def test_a_live_limit_wins_over_the_file(world: CallingWorld) -> None:
    edited = ((str(SCOPE), '{"limits": {"rpm": 60}}'),)
    process = world.process(settings=live({SCOPE: (per_minute(6_000),)}, overrides=edited))
    assert 55 <= len(await most_of(world, [process], 60_000)) <= 60


async def test_the_limits_of_a_key_bind_its_own_jobs_alone(world: CallingWorld) -> None:
    process = world.process(settings=live(keys=((LIMITED_KEY, '{"rpm": 30}'),)))
    assert process.gate(key=KEY).is_free
    assert process.gate(key=LIMITED_KEY) is not process.gate(key=KEY)
    assert not process.gate(key=LIMITED_KEY).is_free
    granted = 0
    for _ in range(120):
        world.pass_ms(500)
        for deployment in (SMALL, OTHER):  # wherever they go
            granted += (await process.ask(5, deployment, key=LIMITED_KEY)).granted
    assert 25 <= granted <= 31


async def test_an_unseeded_day_is_asked_for_once_and_nothing_is_granted_before(world: CallingWorld) -> None:
    process = world.process(settings=limited(per_day(10)))
    for _ in range(2):
        grant = await process.ask(20)
        assert (grant.granted, grant.binding, grant.wait_ms > 0) == (0, None, True)
    assert process.limiter.take_unseeded() == [(SCOPE, per_day(10))]
    assert process.limiter.take_unseeded() == []
    await process.buckets.seed(SCOPE, Measure.REQUESTS, per_day(10).window_ms, 7)
    assert (await process.ask(20)).granted == 3


async def test_while_redis_is_away_a_process_keeps_to_its_share_and_then_shares_again(
    private_valkey: ValkeyServer,
) -> None:
    async with calling_world(private_valkey.url) as world:
        process = world.process(settings=limited(per_minute(1_200)))
        process.limiter.living = 2
        private_valkey.stop()
        away = await most_of(world, [process], 60_000)
        assert 0.95 * 600 <= len(away) <= 600
        private_valkey.start()
        back = await most_of(world, [process], 60_000)
        assert 0.95 * 1_200 <= len(back) <= 1_200


async def test_while_redis_is_away_every_closure_that_is_known_is_kept(private_valkey: ValkeyServer) -> None:
    async with calling_world(private_valkey.url) as world:
        one, two = world.process(1), world.process(2)
        two.gate()
        two.gate(LARGE)
        one.limiter.close(SCOPE, Closed.AUTH, 30_000)
        await one.look()
        await two.look()
        private_valkey.stop()
        two.limiter.close(LARGE.scope, Closed.FAILING, 5_000)
        await two.said()
        for deployment, reason in ((SMALL, Closed.AUTH), (LARGE, Closed.FAILING)):
            grant = await two.ask(1, deployment)
            assert (grant.granted, grant.binding and grant.binding.closed) == (0, reason)
        world.pass_ms(30_000)
        assert (await two.ask()).granted == 1
