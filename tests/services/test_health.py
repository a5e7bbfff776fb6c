"""What the end of a call says of its deployment: closures by kind, and what is old news."""

from collections.abc import AsyncIterator

import pytest

from providers.completion import Answer
from providers.failure import ErrorClass, Failure
from providers.limit import LimitReading, Measure
from router.scope import deployment_scope, provider_scope
from router.standing import Closed
from store.limits import LimitSource
from tests.services.calling_world import ANSWER, LARGE, SMALL, CallingWorld, Process, calling_world, live
from tests.services.limit_world import per_day, per_minute

ACME = provider_scope("acme")
SCOPE = deployment_scope("acme", "small")
REFUSED = Failure(ErrorClass.RATE_LIMIT, "", 429, retry_after_ms=5_000)
BROKEN = Failure(ErrorClass.SERVER_ERROR, "", 500)


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[CallingWorld]:
    async with calling_world(redis_url) as world:
        yield world


async def closures(process: Process) -> dict[str, Closed]:
    """What all processes together hold closed."""
    states = await process.states()
    return {scope.name: state.closed for scope, state in states.items() if state.closed is not None}


async def strikes(process: Process) -> int:
    return (await process.states())[SCOPE].strikes


async def test_a_refusal_closes_the_deployment_for_as_long_as_it_asks(world: CallingWorld) -> None:
    process = world.process()
    await process.call(REFUSED)
    assert await closures(process) == {"acme/small": Closed.RATE_LIMIT}
    assert process.limiter.closure(SCOPE) == (Closed.RATE_LIMIT, 5_000)
    world.pass_ms(5_000)
    assert await closures(process) == {}


async def test_a_refusal_of_a_call_that_was_on_its_way_before_the_closure_is_old_news(world: CallingWorld) -> None:
    process = world.process()
    early = [process.start() for _ in range(3)]
    world.pass_ms(10)
    await process.end(REFUSED, early[0])
    for started_ms in early[1:]:
        world.pass_ms(1_000)
        await process.end(REFUSED, started_ms)
    assert await strikes(process) == 1
    world.pass_ms(3_000)
    assert await closures(process) == {}  # the later ones did not lengthen it
    await process.call(REFUSED)
    assert await strikes(process) == 2


async def test_a_failure_of_a_call_that_was_on_its_way_before_the_closure_is_old_news(world: CallingWorld) -> None:
    process = world.process()
    early = [process.start() for _ in range(25)]
    world.pass_ms(10)
    for started_ms in early[:5]:
        await process.end(BROKEN, started_ms)
    assert await closures(process) == {"acme/small": Closed.FAILING}
    assert await strikes(process) == 1
    world.pass_ms(60_000)  # these hung, and time out while it is being probed
    for started_ms in early[5:]:
        await process.end(Failure(ErrorClass.TIMEOUT, ""), started_ms)
    assert await strikes(process) == 1


async def test_failures_of_the_provider_open_the_breaker_and_a_success_closes_it(world: CallingWorld) -> None:
    process = world.process()
    for _ in range(4):
        await process.call(BROKEN)
    assert await closures(process) == {}
    await process.call(BROKEN)
    assert await closures(process) == {"acme/small": Closed.FAILING}
    world.pass_ms(5_000)
    await process.look()
    assert (await process.ask(3)).granted == 1
    await process.call(ANSWER)
    assert await closures(process) == {}
    assert await strikes(process) == 0
    await process.look()
    assert process.gate().is_free


async def test_a_probe_that_fails_keeps_the_breaker_open_at_once(world: CallingWorld) -> None:
    process = world.process()
    for _ in range(5):
        await process.call(BROKEN)
    world.pass_ms(5_000)
    await process.look()
    assert (await process.ask(3)).granted == 1
    await process.call(BROKEN)
    assert await strikes(process) == 2
    assert (await process.ask(3)).granted == 0


async def test_one_failure_beside_a_limit_does_not_open_the_breaker(world: CallingWorld) -> None:
    process = world.process()
    await process.call(REFUSED)
    world.pass_ms(5_100)
    await process.call(BROKEN)
    assert await closures(process) == {}


@pytest.mark.parametrize(
    "error_class", [ErrorClass.BAD_REQUEST, ErrorClass.CONTEXT_LENGTH, ErrorClass.CONTENT_FILTER, ErrorClass.NOT_FOUND]
)
async def test_a_refusal_of_the_request_itself_counts_as_served(world: CallingWorld, error_class: ErrorClass) -> None:
    process = world.process()
    for _ in range(8):
        for reply in (BROKEN, BROKEN, Failure(error_class, "", 400), Failure(error_class, "", 400), ANSWER):
            await process.call(reply)
    assert await closures(process) == {}


@pytest.mark.parametrize(
    "reply",
    [
        None,
        Failure(ErrorClass.EXPIRED, ""),
        Failure(ErrorClass.CANCELLED, ""),
        Failure(ErrorClass.BAD_REQUEST, "", inexpressible=True),
    ],
)
async def test_a_call_that_was_not_heard_out_says_neither_good_nor_bad(
    world: CallingWorld, reply: Failure | None
) -> None:
    process = world.process()
    for _ in range(4):
        await process.call(BROKEN)
        await process.call(reply)
    await process.call(reply)
    assert await closures(process) == {}
    await process.call(BROKEN)
    assert await closures(process) == {"acme/small": Closed.FAILING}


@pytest.mark.parametrize(
    ("error_class", "reason"), [(ErrorClass.AUTH, Closed.AUTH), (ErrorClass.BILLING, Closed.BILLING)]
)
async def test_a_refused_account_closes_its_deployment_and_at_the_second_one_the_provider(
    world: CallingWorld, error_class: ErrorClass, reason: Closed
) -> None:
    process = world.process()
    await process.call(Failure(error_class, "", 401))
    assert await closures(process) == {"acme/small": reason}
    await process.call(Failure(error_class, "", 401), LARGE)
    assert await closures(process) == {"acme/small": reason, "acme": reason}
    assert (await process.ask(1, LARGE)).granted == 0


async def test_a_success_in_between_keeps_the_provider_open(world: CallingWorld) -> None:
    process = world.process()
    await process.call(Failure(ErrorClass.AUTH, "", 401))
    await process.call(ANSWER, LARGE)
    await process.call(Failure(ErrorClass.AUTH, "", 401), LARGE)
    assert await closures(process) == {"acme/small": Closed.AUTH, "acme/large": Closed.AUTH}


async def test_many_calls_on_their_way_say_once_that_the_account_is_refused(
    world: CallingWorld, caplog: pytest.LogCaptureFixture
) -> None:
    process = world.process()
    early = [process.start() for _ in range(20)]
    world.pass_ms(10)
    for started_ms in early:
        await process.end(Failure(ErrorClass.AUTH, "", 401), started_ms)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert await strikes(process) == 1


async def test_a_success_of_a_call_that_was_on_its_way_does_not_open_what_closed_meanwhile(world: CallingWorld) -> None:
    process = world.process()
    early = process.start()
    world.pass_ms(10)
    await process.call(REFUSED)
    await process.end(ANSWER, early)
    assert process.limiter.closure(SCOPE) == (Closed.RATE_LIMIT, 5_000)
    world.pass_ms(5_000)
    await process.call(REFUSED)
    assert await strikes(process) == 2


async def test_a_limit_is_learned_from_refusals_only_where_none_is_known(world: CallingWorld) -> None:
    learning, told = world.process(1), world.process(2, live({LARGE.scope: (per_minute(600),)}))
    for _ in range(90):
        await learning.call(ANSWER)
        await told.call(ANSWER, LARGE)
        world.pass_ms(1_000)
    await learning.call(REFUSED)
    await told.call(REFUSED, LARGE)
    states = await learning.buckets.states({SCOPE: (), LARGE.scope: ()})
    assert [len(states[scope].gauges) for scope in (SCOPE, LARGE.scope)] == [1, 0]


async def test_headers_are_passed_on_where_they_tell_of_a_limit_that_is_not_set(world: CallingWorld) -> None:
    process = world.process(settings=live({SCOPE: (per_day(5_000),)}))
    readings = (
        LimitReading(Measure.REQUESTS, 60_000, limit=60, remaining=59),
        LimitReading(Measure.REQUESTS, per_day(1).window_ms, limit=77, remaining=77),
    )
    await process.call(Answer(b"{}", "small", None, limits=readings))
    await process.look()
    found = {(each.window_ms, each.amount) for each in process.limiter.states[SCOPE].gauges}
    assert found == {(60_000, 60), (per_day(1).window_ms, 5_000)}


async def test_a_limit_that_answers_stopped_telling_is_forgotten_and_refusals_teach_again(world: CallingWorld) -> None:
    process = world.process()
    told = Answer(b"{}", "small", None, limits=(LimitReading(Measure.REQUESTS, 60_000, limit=600),))

    async def answers(reply: Answer, minutes: int) -> list[LimitSource]:
        for _ in range(30 * minutes):
            await process.call(reply)
            world.pass_ms(1_990)
        await process.look()
        return [gauge.source for gauge in process.limiter.states[SCOPE].gauges]

    assert await answers(told, 20) == [LimitSource.HEADER]
    await process.call(REFUSED)
    assert await answers(ANSWER, 9) == [LimitSource.HEADER]
    assert await answers(ANSWER, 3) == []
    await process.call(REFUSED)
    assert await answers(ANSWER, 1) == [LimitSource.LEARNED]


async def test_repetitions_are_put_off_when_a_providers_budget_is_used_up(world: CallingWorld) -> None:
    process = world.process()
    delays = [process.health.retry_delay_ms("acme") for _ in range(60)]
    assert (delays[0], delays[-1] > 0, process.health.retry_delay_ms("other")) == (0, True, 0)


async def test_deployments_that_are_quiet_are_forgotten_and_those_that_are_closed_are_not(world: CallingWorld) -> None:
    process = world.process()
    await process.call(ANSWER)
    await process.call(REFUSED, LARGE)
    process.health.forget_quiet()
    assert set(process.health.books()) == {SMALL.scope, LARGE.scope}
    world.pass_ms(120_000)
    process.health.forget_quiet()
    assert set(process.health.books()) == {LARGE.scope}
