"""F26: Hypothesis drives the real store with several jobs, two batches and three workers, and shrinks what it finds.

Every rule is a step of tests/faults/schedules_steps.py; the checker runs after each, and at the end of each example the
world is drained without further faults and everything must have ended well.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection

from tests.faults.figures import Record
from tests.faults.schedules_rows import memory_engine
from tests.faults.schedules_sabotage import SELDOM, WALKED, Sabotage, rescue_overwrites
from tests.faults.schedules_steps import STEPS, is_possible
from tests.faults.schedules_walk import Run

pytestmark = pytest.mark.fault("F26")
EXAMPLES = 80
FULL_EXAMPLES = 1_000
"""In each of three parts."""
FOUND = [each for each in (*WALKED, *SELDOM) if each is not rescue_overwrites]
"""The machine meets what that needs too rarely; the walks and the enumeration of test_schedules.py do."""
NUMBERS = st.integers(0, 2**16 - 1)


def machine(connection: Connection, workers: int) -> type[RuleBasedStateMachine]:
    """Make the machine over a database of its own."""

    def __init__(self: Any) -> None:
        RuleBasedStateMachine.__init__(self)
        self.run = Run(connection, workers=workers)

    def teardown(self: Any) -> None:
        wrong = self.run.drain()
        assert not wrong, wrong

    members = {"__init__": __init__, "teardown": teardown} | {name: _rule(name) for name in STEPS}
    return type("JobProtocol", (RuleBasedStateMachine,), members)


def _rule(name: str) -> Any:
    def take(self: Any, number: int) -> None:
        wrong = self.run.step(name, number)
        assert not wrong, wrong

    take.__name__ = name
    return precondition(lambda self: is_possible(name, self.run.world))(rule(number=NUMBERS)(take))


def examine(
    connection: Connection,
    part: int,
    examples: int,
    *,
    workers: int = 3,
    phases: Sequence[Phase] = (Phase.generate, Phase.shrink),
) -> None:
    """Run so many examples of at most 50 steps, the same ones every time."""
    made = machine(connection, workers)
    run_state_machine_as_test(
        seed(part)(made),
        settings=settings(
            max_examples=examples, stateful_step_count=50, deadline=None, database=None, print_blob=False,
            phases=phases, suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
        ),
    )  # fmt: skip


def examine_in_turns(connection: Connection) -> None:
    """Run very many examples: the fewer workers there are, the more often they meet the same job."""
    for workers in (3, 1, 2):
        examine(connection, 1, FULL_EXAMPLES, workers=workers, phases=[Phase.generate])


@pytest.fixture
def connection() -> Iterator[Connection]:
    """An empty store in memory."""
    engine = memory_engine()
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_nothing_that_happens_to_several_jobs_breaks_an_invariant(connection: Connection, record: Record) -> None:
    examine(connection, 1, EXAMPLES)
    record(f"{EXAMPLES} examples of at most 50 steps, the invariants checked after each")


@pytest.mark.full
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("part", [2, 3, 4], ids="part {}".format)
def test_nothing_breaks_an_invariant_in_a_long_run(connection: Connection, record: Record, part: int) -> None:
    examine(connection, part, FULL_EXAMPLES)
    record(f"{FULL_EXAMPLES:,} examples of at most 50 steps, the invariants checked after each")


@pytest.mark.sabotage
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("sabotage", FOUND, ids=lambda each: each.__name__)
def test_the_machine_misses_each_mechanism(
    connection: Connection, sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch)
    with pytest.raises(AssertionError):
        examine_in_turns(connection)
