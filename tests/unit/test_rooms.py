"""Rooms: what each queue and deployment may be handed, and where a slice goes."""

from collections import Counter
from dataclasses import replace

import pytest

from providers.failure import ErrorClass
from router.rooms import Place, Plan, Published, Rooms
from router.routing import FailoverPolicy
from router.scope import deployment_scope
from router.standing import Closed, Standing
from tests.faults.schedules_plans import ROUTES, Standings, plan

ONE, TWO = "one.batch", "two.batch"


def filled(rooms: Rooms, route: str, jobs: int = 10) -> Counter[str]:
    """Place slices of so many jobs until there is no room; returns how many went to each queue."""
    found: Counter[str] = Counter()
    while (place := rooms.place(route)) is not None:
        rooms.take(place.queue, jobs, place.scope)
        found[place.queue] += 1
    return found


def rooms(of: Plan, *slices: Published, jobs: dict[str, int] | None = None) -> Rooms:
    return Rooms(of, jobs or {}, slices)


def only(provider: str, standing: Standing) -> Standings:
    """A standing of one provider's deployments; the others take calls."""
    return lambda deployment: standing if deployment.provider == provider else Standing()


def test_every_deployment_of_a_route_is_given_two_slices_of_what_waits() -> None:
    assert filled(rooms(plan(slice_jobs=10)), "r") == {ONE: 2, TWO: 2}


def test_what_is_published_already_counts() -> None:
    published = (Published(ONE, "r", 0, 20), Published(TWO, "r", 1, 10))
    assert filled(rooms(plan(slice_jobs=10), *published), "r") == {TWO: 1}


def test_a_deployment_has_one_room_for_all_routes_that_lead_to_it() -> None:
    first = ROUTES["first"].deployments[0]
    routes = {name: replace(ROUTES["first"], name=name, deployments=(first,)) for name in ("a", "b")}
    both = rooms(replace(plan(slice_jobs=10), resolve=routes.get), Published(ONE, "a", 0, 10))
    assert (filled(both, "b"), filled(both, "a")) == ({ONE: 1}, {})


def test_a_queues_window_bounds_all_its_deployments_and_its_single_jobs() -> None:
    crowded = rooms(plan(window=25, slice_jobs=10), Published(ONE, "first", 0, 10), jobs={ONE: 10})
    assert (crowded.left(ONE), crowded.left(TWO), crowded.left("unheard-of")) == (5, 25, 0)
    assert filled(crowded, "r") == {ONE: 1, TWO: 2}


@pytest.mark.parametrize(
    ("standing", "slices"),
    [
        (Standing(per_minute=480), 4),
        (Standing(in_flight=30), 6),
        (Standing(waiting=500), 2),
        (Standing(waiting=11, wait_ms=1), 1),
        (Standing(waiting=20, wait_ms=1), 0),
        (Standing(waiting=20, wait_ms=1, per_minute=480), 2),
    ],
)
def test_the_room_of_a_deployment_follows_how_fast_it_works(standing: Standing, slices: int) -> None:
    found = filled(rooms(plan(slice_jobs=10, standing=lambda _: standing)), "first")
    assert found[ONE] == slices


@pytest.mark.parametrize("reason", sorted(Closed))
def test_a_closed_deployment_has_no_room(reason: Closed) -> None:
    standing = only("one", Standing(closed=reason, wait_ms=10_000))
    assert filled(rooms(plan(slice_jobs=10, standing=standing)), "r") == {TWO: 2}
    assert filled(rooms(plan(standing=standing)), "first") == {}


def test_a_rate_limit_that_ends_at_once_keeps_nothing_from_being_handed_out() -> None:
    standing = only("one", Standing(closed=Closed.RATE_LIMIT, wait_ms=500))
    assert filled(rooms(plan(slice_jobs=10, standing=standing)), "first") == {ONE: 2}


@pytest.mark.parametrize(
    ("own", "queue"),
    [
        (Standing(), ONE),
        (Standing(waiting=500, wait_ms=60_000), None),
        (Standing(closed=Closed.RATE_LIMIT, wait_ms=30_000), None),
        (Standing(closed=Closed.RATE_LIMIT, wait_ms=3_600_000), TWO),
        (Standing(closed=Closed.FAILING, wait_ms=5_000), TWO),
        (Standing(closed=Closed.PAUSED), TWO),
    ],
)
def test_a_fallback_answers_only_where_its_own_model_will_not_soon(own: Standing, queue: str | None) -> None:
    place = rooms(plan(standing=only("one", own))).place("chained")
    assert (place and place.queue) == queue


def test_a_place_says_why_it_is_not_the_usual_one() -> None:
    """Where deployments that take calls share the work there is nothing to say."""
    held = rooms(plan(standing=only("one", Standing(closed=Closed.BILLING))))
    full = rooms(plan(standing=only("one", Standing(waiting=500, wait_ms=60_000))))
    places = [each.place("r") for each in (rooms(plan()), held, full)]
    assert [each and (each.queue, each.moved_for) for each in places] == [
        (ONE, None), (TWO, ErrorClass.BILLING), (TWO, None),
    ]  # fmt: skip


def test_lines_that_may_not_move_to_another_model_wait_for_their_own() -> None:
    closed = rooms(plan(standing=only("one", Standing(closed=Closed.AUTH))))
    assert closed.place("chained", FailoverPolicy.STRICT) is None
    assert closed.place("chained", FailoverPolicy.SAME_MODEL) is None
    assert closed.place("chained") == Place(TWO, 1, deployment_scope("two", "c"), ErrorClass.AUTH)
    assert closed.has_any("chained")


def test_a_route_that_is_gone_goes_where_it_fails() -> None:
    assert rooms(plan(slice_jobs=10), Published(ONE, "gone", 3, 5)).place("gone") == Place(ONE, 0, None)
    assert rooms(plan(window=5), Published(ONE, "gone", 3, 5)).place("gone") is None
