"""Why work waits: every combination of what may hold it up, and the words."""

from dataclasses import dataclass, field
from itertools import product

import pytest

from providers.limit import DAY_MS, MINUTE_MS, Measure
from router.scope import Scope, deployment_scope, key_scope, provider_scope
from router.standing import Closed
from router.waiting_reason import Due, Factor, Reason, Surroundings, eta_s, limit_words, limiting, reason_of, span

PROVIDER, DEPLOYMENT = provider_scope("anthropic"), deployment_scope("anthropic", "claude-haiku")
KEY = key_scope(b"k" * 16)


@dataclass(frozen=True)
class Level:
    """A gauge."""

    used: int = 0
    amount: int = 100
    measure: Measure = Measure.OUTPUT_TOKENS
    window_ms: int = MINUTE_MS
    wait_ms: int = 0
    source: str = "configured"


@dataclass(frozen=True)
class State:
    """A scope's state."""

    closed: Closed | None = None
    closed_for_ms: int = 0
    is_probing: bool = False
    gauges: tuple[Level, ...] = ()
    in_flight: int = 0
    waiting: int = 0
    per_minute: int = 0


@dataclass
class Held:
    """What holds the work up, built piece by piece."""

    states: dict[Scope, State] = field(default_factory=lambda: {PROVIDER: State(), DEPLOYMENT: State()})
    by_operator: dict[Scope, Closed] = field(default_factory=dict)
    is_served: bool = True
    due: Due = field(default_factory=lambda: Due(1_000_000))

    def reason(self) -> Reason:
        around = Surroundings(
            "anthropic", "anthropic/claude-haiku", self.states, self.by_operator, is_served=self.is_served, slots=10
        )
        return reason_of(around, self.due)


@pytest.mark.parametrize("holds", list(product([False, True], repeat=6)))
def test_the_first_of_the_reasons_binds(holds: tuple[bool, ...]) -> None:
    not_due, paused, closed, full, unserved, busy = holds
    held = Held()
    if not_due:
        held.due = Due(1_000_000, 1_012_000, "rate_limit")
    if paused:
        held.by_operator = {DEPLOYMENT: Closed.PAUSED}
    held.states[DEPLOYMENT] = State(
        closed=Closed.FAILING if closed else None, closed_for_ms=5_000, gauges=(Level(97 if full else 89),)
    )
    held.is_served = not unserved
    held.states[PROVIDER] = State(in_flight=10 if busy else 9)
    order = [Factor.NOT_DUE, Factor.OPERATOR, Factor.CLOSED, Factor.LIMIT, Factor.WORKERS, Factor.SLOTS]
    expected = next((factor for factor, is_held in zip(order, holds, strict=True) if is_held), Factor.NOTHING)
    assert held.reason().factor is expected


def test_a_limit_is_told_in_words_and_figures() -> None:
    held = Held()
    held.states[DEPLOYMENT] = State(gauges=(Level(97, wait_ms=13_400), Level(95, measure=Measure.REQUESTS)))
    assert held.reason().limited_by == "anthropic/claude-haiku output tokens/min, 97 % used, refill in 14 s"


@pytest.mark.parametrize(
    ("scope", "level", "words"),
    [
        (PROVIDER, Level(9, 9, Measure.TOKENS, DAY_MS, 7_200_000), "anthropic tokens/day, 100 % used, refill in 2 h"),
        (PROVIDER, Level(8, 8, Measure.PARALLEL, 0, 50), "anthropic calls in flight, 100 % used"),
        (KEY, Level(3, 3, Measure.REQUESTS, wait_ms=400), "this key's requests/min, 100 % used, refill in 400 ms"),
        (DEPLOYMENT, Level(1, 0), "anthropic/claude-haiku output tokens/min, 100 % used"),
    ],
)  # fmt: skip
def test_every_owner_of_a_limit_is_named_as_its_caller_knows_it(scope: Scope, level: Level, words: str) -> None:
    assert limit_words(scope, level) == words


def test_the_fullest_limit_of_all_scopes_binds() -> None:
    held = Held()
    held.states = {
        PROVIDER: State(gauges=(Level(92),)),
        DEPLOYMENT: State(gauges=(Level(10), Level(99))),
        KEY: State(gauges=(Level(95),)),
    }
    assert held.reason().limited_by.startswith("anthropic/claude-haiku output tokens/min, 99 %")


@pytest.mark.parametrize("closed", [each for each in Closed if each not in (Closed.PAUSED, Closed.DRAINING)])
def test_every_closure_is_told_with_its_time(closed: Closed) -> None:
    held = Held()
    held.states = {PROVIDER: State(), DEPLOYMENT: State(closed, 12_000), KEY: State(closed, 1)}
    reason = held.reason()
    assert reason.limited_by.startswith("anthropic/claude-haiku ")
    assert reason.limited_by.endswith(", 12 s")
    assert reason.wait_ms == 12_000
    held.states[DEPLOYMENT] = State(closed, 0, is_probing=True)
    held.states[KEY] = State()
    assert held.reason().limited_by.endswith(", now probed")


@pytest.mark.parametrize("state", [Closed.PAUSED, Closed.DRAINING])
def test_an_operators_word_is_told_with_the_way_back(state: Closed) -> None:
    held = Held(by_operator={PROVIDER: state})
    assert held.reason().limited_by == f"anthropic is {state}"
    assert "laneway queues resume anthropic" in held.reason().detail


def test_a_retry_tells_when_and_after_what() -> None:
    held = Held(due=Due(0, 1_700_000_000_999, "overloaded"))
    assert held.reason().limited_by.endswith(", after overloaded")
    assert "2023-11-14T22:13:20Z" in held.reason().detail
    held.due = Due(1_000, 3_000)
    assert held.reason().limited_by == "retry in 2 s"


def test_claimed_jobs_that_wait_mean_that_the_slots_are_taken() -> None:
    held = Held()
    held.states[PROVIDER] = State(in_flight=3, waiting=1)
    assert held.reason().limited_by == "anthropic slots, 3 of 10 busy"


def test_without_states_only_what_sql_knows_is_told() -> None:
    assert Held(states={}).reason().factor is Factor.NOTHING
    assert Held(states={}, is_served=False).reason().limited_by == "workers: nothing consumes the queue anthropic"


def test_what_limits_a_deployment_is_told_without_any_work() -> None:
    assert limiting({PROVIDER: State(in_flight=99, waiting=9)}, {}) is None
    found = limiting({PROVIDER: State(Closed.AUTH, 30_000)}, {})
    assert found is not None
    assert found.limited_by == "anthropic credential refused, 30 s"


@pytest.mark.parametrize(
    ("factor", "wait_ms", "position", "per_minute", "expected"),
    [
        (Factor.OPERATOR, None, 0, 60, None),
        (Factor.WORKERS, None, 5, 60, None),
        (Factor.LIMIT, 500, None, 60, None),
        (Factor.NOTHING, 0, 0, 0, 0),
        (Factor.NOT_DUE, 12_001, 0, 0, 13),
        (Factor.SLOTS, 0, 0, 0, None),
        (Factor.SLOTS, 0, 0, 60, 1),
        (Factor.LIMIT, 500, 10, 0, None),
        (Factor.LIMIT, 500, 10, 60, 11),
        (Factor.CLOSED, 90_000, 10, 60, 90),
        (Factor.LIMIT, 0, 99, 600, 10),
    ],
)
def test_a_guess_when_it_starts(
    factor: Factor, wait_ms: int | None, position: int | None, per_minute: int, expected: int | None
) -> None:
    assert eta_s(Reason(factor, "", "", wait_ms), position, per_minute) == expected


@pytest.mark.parametrize(
    ("ms", "words"),
    [(0, "0 ms"), (999, "999 ms"), (1_000, "1 s"), (1_001, "2 s"), (119_000, "119 s"), (120_000, "2 min"),
     (7_199_000, "120 min"), (7_200_000, "2 h"), (172_800_000, "2 d"), (-5, "0 ms")],
)  # fmt: skip
def test_times_are_written_for_people(ms: int, words: str) -> None:
    assert span(ms) == words
