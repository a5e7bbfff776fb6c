"""Standings say how deployments are doing: what all processes know, what this one saw itself, what an operator said."""

from collections.abc import AsyncIterator

import pytest

from providers.limit import Measure
from router.routes import Route
from router.standing import Closed
from store.limits import Report
from tests.services.calling_world import LARGE, OTHER, SMALL, CallingWorld, Process, calling_world, live
from tests.services.limit_world import per_minute

ROUTE = Route("fast", (SMALL, OTHER))


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[CallingWorld]:
    async with calling_world(redis_url) as world:
        yield world


def offers(process: Process) -> bool:
    """Whether a job may be sent to the closed deployment now."""
    return process.standings.offered(SMALL).closed is None


async def test_a_deployment_of_which_nothing_is_known_takes_calls(world: CallingWorld) -> None:
    standing = world.process().standings.of(SMALL)
    assert (standing.closed, standing.wait_ms, standing.headroom_permille) == (None, 0, 1_000)


async def test_what_this_process_closed_is_closed_at_once_and_for_others_when_they_look(world: CallingWorld) -> None:
    one, two = world.process(1), world.process(2)
    two.gate()
    one.limiter.close(SMALL.scope, Closed.FAILING, 5_000)
    assert (one.standings.of(SMALL).closed, one.standings.of(SMALL).wait_ms) == (Closed.FAILING, 5_000)
    await one.said()
    assert two.standings.of(SMALL).closed is None
    await two.look()
    world.pass_ms(1_500)
    assert (two.standings.of(SMALL).closed, two.standings.of(SMALL).wait_ms) == (Closed.FAILING, 3_500)
    assert two.standings.of(LARGE).closed is None


async def test_a_closed_provider_closes_its_deployments_and_the_longer_closure_counts(world: CallingWorld) -> None:
    process = world.process()
    process.limiter.close(SMALL.scope, Closed.FAILING, 5_000)
    process.limiter.close(process.gate().provider, Closed.BILLING, 60_000)
    assert process.standings.of(SMALL).closed is Closed.BILLING
    assert process.standings.of(LARGE).wait_ms == 60_000
    assert process.standings.of(OTHER).closed is None
    await process.said()


@pytest.mark.parametrize("state", [Closed.PAUSED, Closed.DRAINING])
@pytest.mark.parametrize("name", ["provider/acme", "deployment/acme/small"])
async def test_what_an_operator_said_is_reflected_and_never_probed(
    world: CallingWorld, state: Closed, name: str
) -> None:
    process = world.process()
    process.limiter.live = live(overrides=((name, f'{{"state": "{state}"}}'),))
    assert process.standings.of(SMALL).closed is state
    assert process.standings.offered(SMALL).closed is state
    assert process.standings.send_to(ROUTE, None).place == 1
    process.limiter.live = live()
    assert process.standings.of(SMALL).closed is None
    assert process.standings.send_to(ROUTE, None).place == 0


async def test_a_due_probe_is_offered_once_in_a_while_and_then_again(world: CallingWorld) -> None:
    process = world.process()
    process.gate()
    process.limiter.close(SMALL.scope, Closed.FAILING, 5_000)
    await process.look()
    assert not offers(process)
    world.pass_ms(5_000)
    await process.look()
    assert offers(process)
    world.pass_ms(51)
    assert not offers(process)
    world.pass_ms(1_900)
    assert not offers(process)
    world.pass_ms(100)
    assert offers(process)
    world.pass_ms(51)
    assert not offers(process)


async def test_a_job_is_sent_where_calls_are_taken_and_to_the_one_that_opens_first_where_none_are(
    world: CallingWorld,
) -> None:
    process = world.process()
    assert process.standings.send_to(ROUTE, None).place == 0
    process.limiter.close(SMALL.scope, Closed.FAILING, 60_000)
    assert process.standings.send_to(ROUTE, None).place == 1
    process.limiter.close(OTHER.scope, Closed.FAILING, 30_000)
    assert process.standings.send_to(ROUTE, None).place == 1
    assert process.standings.choose(ROUTE, [0], draw=0.0) == 0
    assert process.standings.choose(ROUTE, [], draw=0.0) is None
    await process.said()


async def test_the_room_under_limits_and_the_work_of_all_processes_are_told(world: CallingWorld) -> None:
    settings = live({SMALL.scope: (per_minute(600), per_minute(10_000, Measure.TOKENS))})
    one, two = world.process(1, settings), world.process(2, settings)
    one.tokens = two.tokens = 45
    await one.ask()
    world.pass_ms(60_000)
    granted = (await one.ask(60)).granted
    assert granted > 0
    await two.buckets.report([Report(SMALL.scope, 7, 5, 30, 2_000)], {})
    for _ in range(granted):
        one.start()
    await one.look()
    standing = one.standings.of(SMALL)
    assert (standing.in_flight, standing.waiting, standing.per_minute) == (7 + granted, 5, 30)
    assert standing.us_per_output_token == 2_000
    assert 950 < standing.headroom_permille < 1_000
    assert standing.wait_ms > 0
