"""The choice of a deployment: where a job may go, by enumeration; which place is the best, rule by rule."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.completion import Target
from providers.failure import ErrorClass
from router.choice import ROOM_MS, choose, moved_for, onward, places
from router.deployment import Deployment
from router.failure_rules import RULES, Here
from router.routes import Route
from router.routing import PATIENCE_MS, FailoverPolicy, Strategy, Tier
from router.standing import Closed, Standing

E, P = ErrorClass, FailoverPolicy
FREE = Standing()
CLOSURES = [each for each in Closed if each not in (Closed.PAUSED, Closed.DRAINING)]


def deployment(name: str, tier: Tier = Tier.OWN, step: int = 0, *, order: int = 1, weight: int = 1) -> Deployment:
    target = Target(name, "openai", "http://x/v1", "m")
    return Deployment(name, "m", "m", target, None, None, 8, tier=tier, step=step, order=order, weight=weight)


def route(*deployments: Deployment, strategy: Strategy = Strategy.IN_ORDER) -> Route:
    return Route("r", deployments, strategy)


FULL = route(
    deployment("own-0"),
    deployment("own-1"),
    deployment("fallback-2", Tier.FALLBACK, 1),
    deployment("long-3", Tier.CONTEXT_WINDOW, 1),
    deployment("long-4", Tier.CONTEXT_WINDOW, 2),
    deployment("mild-5", Tier.CONTENT_POLICY, 1),
)
LENGTH = len(FULL.deployments)


def chosen(served: Route, *standings: Standing, draw: float = 0.0, among: Sequence[int] | None = None) -> int | None:
    by_name = {each.provider: standing for each, standing in zip(served.deployments, standings, strict=True)}
    every = range(len(served.deployments)) if among is None else among
    return choose(served, list(every), lambda each: by_name[each.provider], draw=draw)


def moved(served: Route, place: int, *standings: Standing, draw: float = 0.0) -> ErrorClass | None:
    """Why a job that may go anywhere goes to this place."""
    by_name = {each.provider: standing for each, standing in zip(served.deployments, standings, strict=True)}
    return moved_for(served, place, range(len(standings)), lambda each: by_name[each.provider], draw=draw)


def test_a_job_begins_at_one_of_the_models_own_deployments_or_at_a_fallback_under_chain() -> None:
    begin = {policy: places(FULL, tried=0, policy=policy, after=None) for policy in P}
    assert begin == {P.STRICT: (0, 1), P.SAME_MODEL: (0, 1), P.CHAIN: (0, 1, 2)}


@pytest.mark.parametrize("after", [None, *E])
def test_a_strict_job_never_leaves_its_place(after: ErrorClass | None) -> None:
    assert all(
        places(FULL, tried=tried, policy=P.STRICT, after=after, at=at) == ()
        for tried, at in product(range(1 << LENGTH), range(LENGTH))
    )


def test_a_request_that_is_too_long_or_filtered_goes_to_its_own_list_only() -> None:
    for policy in (P.SAME_MODEL, P.CHAIN):
        assert places(FULL, tried=0, policy=policy, after=E.CONTEXT_LENGTH, at=0) == (3, 4)
        assert places(FULL, tried=0b1000, policy=policy, after=E.CONTEXT_LENGTH, at=3) == (4,)
        assert places(FULL, tried=0b1000, policy=policy, after=E.CONTEXT_LENGTH, at=4) == ()
        assert places(FULL, tried=0, policy=policy, after=E.CONTENT_FILTER, at=1) == (5,)
        assert places(FULL, tried=0b10, policy=policy, after=E.CONTENT_FILTER, at=5) == ()
    assert places(route(deployment("a"), deployment("b")), tried=0, policy=P.CHAIN, after=E.CONTEXT_LENGTH, at=0) == ()


@pytest.mark.parametrize("after", [None, E.SERVER_ERROR, E.RATE_LIMIT, E.AUTH])
def test_a_request_that_was_too_long_stays_among_the_deployments_for_long_ones(after: ErrorClass | None) -> None:
    assert places(FULL, tried=0b1, policy=P.CHAIN, after=after, at=3) == (4,)


@pytest.mark.parametrize("after", [None, *E])
@pytest.mark.parametrize("policy", P)
def test_a_place_is_listed_for_a_reason(policy: FailoverPolicy, after: ErrorClass | None) -> None:
    for tried, at in product(range(1 << LENGTH), [None, *range(LENGTH)]):
        found = places(FULL, tried=tried, policy=policy, after=after, at=at)
        assert at not in found
        assert list(found) == sorted(set(found))
        tiers = {FULL.deployments[place].tier for place in found}
        assert len(tiers) <= 1 or tiers == {Tier.OWN, Tier.FALLBACK}
        assert Tier.FALLBACK not in tiers or policy is P.CHAIN
        again = [place for place in found if tried >> place & 1]
        assert not again or again == list(found)
        assert not again or after is None or RULES[after].here is not Here.NEVER


def test_when_all_had_their_turn_the_round_begins_again_for_what_time_may_mend() -> None:
    assert places(FULL, tried=0b011, policy=P.CHAIN, after=E.OVERLOADED, at=2) == (0, 1)
    assert places(FULL, tried=0b011, policy=P.CHAIN, after=E.AUTH, at=2) == ()
    assert places(FULL, tried=0b001, policy=P.CHAIN, after=E.AUTH, at=2) == (1,)


def test_without_candidates_there_is_no_choice() -> None:
    assert chosen(FULL, *[FREE] * LENGTH, among=[]) is None


def test_the_model_that_was_asked_for_is_served_while_one_of_its_deployments_takes_calls_soon() -> None:
    served = route(deployment("a"), deployment("b", order=2), deployment("c", Tier.FALLBACK, 1))
    slow, late, closed = Standing(wait_ms=PATIENCE_MS), Standing(wait_ms=PATIENCE_MS + 1), Standing(Closed.FAILING)
    assert chosen(served, FREE, FREE, FREE) == 0
    assert chosen(served, slow, FREE, FREE) == 1
    assert chosen(served, slow, late, FREE) == 0
    assert chosen(served, late, slow, FREE) == 1
    assert chosen(served, late, closed, FREE) == 2
    assert chosen(served, late, closed, slow) == 2


def test_the_first_fallback_comes_before_the_second_whatever_the_strategy() -> None:
    fallbacks = (deployment("a", Tier.FALLBACK, 1), deployment("b", Tier.FALLBACK, 2, weight=1_000))
    for strategy, draw in product(Strategy, (0.0, 0.999)):
        served = route(deployment("own"), *fallbacks, strategy=strategy)
        busy = Standing(headroom_permille=1, in_flight=99, us_per_output_token=9, typical_nanousd=9)
        assert chosen(served, Standing(Closed.AUTH), busy, FREE, draw=draw) == 1


def test_a_lower_order_is_preferred_while_it_has_room() -> None:
    served = route(deployment("a"), deployment("b", order=2, weight=1_000), strategy=Strategy.WEIGHTED)
    assert chosen(served, FREE, FREE, draw=0.999) == 0
    assert chosen(served, Standing(wait_ms=ROOM_MS), FREE, draw=0.999) == 0
    assert chosen(served, Standing(wait_ms=ROOM_MS + 1), FREE) == 1
    assert chosen(served, Standing(wait_ms=300), Standing(wait_ms=200), draw=0.999) == 0


@pytest.mark.parametrize("strategy", Strategy)
def test_without_room_anywhere_the_shortest_wait_is_taken(strategy: Strategy) -> None:
    served = route(deployment("a"), deployment("b"), deployment("c"), strategy=strategy)
    assert chosen(served, Standing(wait_ms=400), Standing(wait_ms=200), Standing(wait_ms=300), draw=0.9) == 1


def test_where_all_are_closed_the_first_to_open_is_taken_and_the_earlier_model_when_it_is_about_the_same() -> None:
    served = route(deployment("a"), deployment("b", Tier.FALLBACK, 1))
    for reason in CLOSURES:
        assert chosen(served, Standing(reason, 30_000), Standing(reason, 9_000)) == 1
        assert chosen(served, Standing(reason, 9_500), Standing(reason, 9_000)) == 0


@pytest.mark.parametrize("reason", [Closed.PAUSED, Closed.DRAINING])
def test_what_an_operator_holds_is_taken_only_where_he_holds_all(reason: Closed) -> None:
    served = route(deployment("a"), deployment("b", order=2), deployment("c", Tier.FALLBACK, 1))
    held = Standing(reason)
    assert chosen(served, held, FREE, FREE) == 1
    assert chosen(served, held, held, Standing(Closed.BILLING, 600_000)) == 2
    assert chosen(served, held, held, held) == chosen(served, Standing(reason, 60_000), held, held) == 0


def test_in_order_takes_the_first_that_has_room() -> None:
    served = route(deployment("a"), deployment("b", weight=9), deployment("c"))
    assert chosen(served, FREE, FREE, FREE, draw=0.99) == 0
    assert chosen(served, Standing(wait_ms=150), Standing(headroom_permille=1), FREE, draw=0.99) == 1


def test_weights_share_the_draws_exactly() -> None:
    served = route(deployment("a", weight=3), deployment("b"), deployment("c", weight=4), strategy=Strategy.WEIGHTED)
    draws = Counter(chosen(served, FREE, FREE, FREE, draw=draw / 80) for draw in range(80))
    assert draws == {0: 30, 1: 10, 2: 40}
    without = Counter(chosen(served, FREE, FREE, Standing(Closed.FAILING), draw=draw / 80) for draw in range(80))
    assert without == {0: 60, 1: 20}


def test_least_busy_looks_at_free_limits_first_then_at_calls_for_its_weight() -> None:
    served = route(deployment("a"), deployment("b", weight=4), strategy=Strategy.LEAST_BUSY)
    assert chosen(served, Standing(headroom_permille=400), Standing(headroom_permille=500, in_flight=99)) == 1
    assert chosen(served, Standing(in_flight=10), Standing(in_flight=30, waiting=9)) == 1
    assert chosen(served, Standing(in_flight=10), Standing(in_flight=30, waiting=11)) == 0
    ties = Counter(chosen(served, FREE, FREE, draw=draw / 5) for draw in range(5))
    assert ties == {0: 1, 1: 4}


def test_lowest_latency_measures_the_unmeasured_first() -> None:
    served = route(deployment("a"), deployment("b"), strategy=Strategy.LOWEST_LATENCY)
    assert chosen(served, Standing(us_per_output_token=20), Standing(us_per_output_token=10)) == 1
    assert chosen(served, Standing(us_per_output_token=20), FREE) == 1


def test_lowest_cost_takes_an_unknown_price_last() -> None:
    served = route(deployment("a"), deployment("b"), strategy=Strategy.LOWEST_COST)
    assert chosen(served, FREE, Standing(typical_nanousd=900)) == 1
    assert chosen(served, Standing(typical_nanousd=0), Standing(typical_nanousd=900)) == 0


def test_a_failure_that_may_pass_is_not_fled_from_to_a_place_that_is_closed() -> None:
    shut = Standing(Closed.RATE_LIMIT, 60_000)
    for cause, expected in ((E.OVERLOADED, None), (E.RATE_LIMIT, None), (E.AUTH, 1), (E.CONTEXT_LENGTH, 1)):
        assert onward(FULL, (1, 2), lambda _: shut, after=cause, draw=0.0) == expected
        assert onward(FULL, (1, 2), lambda _: FREE, after=cause, draw=0.0) == 1
        assert onward(FULL, (), lambda _: FREE, after=cause, draw=0.0) is None


@pytest.mark.parametrize("reason", Closed)
def test_a_closed_deployment_is_why_a_job_goes_to_another(reason: Closed) -> None:
    found = [moved(FULL, place, Standing(reason), FREE, FREE, FREE, FREE, FREE) for place in (0, 1, 2)]
    assert found == [None, reason.error_class, reason.error_class]


def test_want_of_room_is_why_a_job_goes_to_another_model_and_says_nothing_within_its_own() -> None:
    busy = Standing(wait_ms=60_000)
    found = [moved(FULL, place, busy, busy, FREE, FREE, FREE, FREE) for place in (0, 1, 2)]
    assert found == [None, None, E.RATE_LIMIT]


@pytest.mark.parametrize("draw", [0.0, 0.3, 0.6, 0.9])
def test_a_job_that_the_same_draw_sends_there_when_all_are_open_has_not_moved(draw: float) -> None:
    served = route(deployment("a"), deployment("b", weight=2), strategy=Strategy.WEIGHTED)
    shut = Standing(Closed.FAILING, 5_000)
    assert moved(served, 1, shut, FREE, draw=draw) == (E.OVERLOADED if draw < 1 / 3 else None)


def test_the_place_that_a_strategy_prefers_is_the_usual_one_wherever_it_stands() -> None:
    served = route(deployment("dear"), deployment("cheap"), strategy=Strategy.LOWEST_COST)
    dear, cheap = Standing(Closed.FAILING, 5_000, typical_nanousd=900), Standing(typical_nanousd=100)
    assert moved(served, 1, dear, cheap) is None
    assert moved(served, 0, replace(dear, closed=None), replace(cheap, closed=Closed.AUTH)) is E.AUTH


standings = st.builds(
    Standing,
    closed=st.none() | st.sampled_from(Closed),
    wait_ms=st.integers(0, 3 * PATIENCE_MS),
    headroom_permille=st.integers(0, 1_000),
    in_flight=st.integers(0, 50),
    waiting=st.integers(0, 50),
    us_per_output_token=st.none() | st.integers(0, 10_000),
    typical_nanousd=st.none() | st.integers(0, 10**9),
)


@given(st.lists(standings, min_size=1, max_size=6), st.sampled_from(Strategy), st.floats(0, 1, exclude_max=True))
def test_a_choice_is_always_made_and_never_a_closed_place_while_one_is_open_soon(
    given_standings: list[Standing], strategy: Strategy, draw: float
) -> None:
    served = replace(
        route(*(deployment(f"p{place}", weight=place + 1) for place in range(len(given_standings)))), strategy=strategy
    )
    place = chosen(served, *given_standings, draw=draw)
    assert place is not None
    held = (None, Closed.RATE_LIMIT)
    soon = [each for each in given_standings if each.closed in held and each.wait_ms <= PATIENCE_MS]
    if soon:
        assert given_standings[place] in soon
        if any(each.closed is None and each.wait_ms <= ROOM_MS for each in soon):
            assert given_standings[place].closed is None
            assert given_standings[place].wait_ms <= ROOM_MS
    elif any(each.closed not in (Closed.PAUSED, Closed.DRAINING) for each in given_standings):
        assert given_standings[place].closed not in (Closed.PAUSED, Closed.DRAINING)
