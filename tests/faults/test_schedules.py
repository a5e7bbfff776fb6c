"""The job protocol on every schedule of one job, and on random schedules of many; and what each mechanism is for.

Fault test F28's part without processes: a virtual clock, a queue that drops, repeats and reorders, the real store.
"""

from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from tests.faults.figures import Record
from tests.faults.schedules import Search, Start
from tests.faults.schedules_rows import create_tables, memory_engine
from tests.faults.schedules_sabotage import SEARCHED, SELDOM, WALKED, Sabotage
from tests.faults.schedules_walk import first_failure
from tests.faults.schedules_world import World

pytestmark = pytest.mark.fault("F28")
WALK_STEPS = 60


def a_job(world: World, connection: Connection) -> None:
    """A single job that took down three workers already: two more make it poison."""
    world.submit(connection, crashes=3)


def a_job_handed_off(world: World, connection: Connection) -> None:
    """A single job that the API process makes the first call of itself."""
    world.hand_off(connection, world.workers[0])


def a_batch(world: World, connection: Connection) -> None:
    """A batch of one line, just created."""
    world.create_batch(connection, 1)


FULL = [pytest.mark.full, pytest.mark.timeout(1_800)]
SEARCHES = [
    pytest.param(a_job, {"attempts": 3}, 150, id="job with losses"),
    pytest.param(a_job, {"attempts": 2, "losses": False}, 60, id="job with an emptied Redis"),
    pytest.param(a_job_handed_off, {"attempts": 3}, 120, id="job handed off with losses"),
    pytest.param(a_batch, {"attempts": 1}, 150, id="line with losses"),
    pytest.param(a_batch, {"attempts": 1, "losses": False, "brief": True}, 150, id="line with an emptied Redis"),
    pytest.param(a_job, {"attempts": 5}, 500, id="job with losses, 5 attempts", marks=FULL),
    pytest.param(a_job, {"attempts": 4, "losses": False}, 450, id="job with an emptied Redis, 4 attempts", marks=FULL),
    pytest.param(a_batch, {"attempts": 2}, 800, id="line with losses, 2 attempts", marks=FULL),
    pytest.param(
        a_batch, {"attempts": 2, "losses": False}, 1_000, id="line with an emptied Redis, 2 attempts", marks=FULL
    ),
]


@pytest.mark.parametrize(("start", "bounds", "at_least"), SEARCHES)
def test_every_schedule_of_a_job_keeps_the_invariants_and_comes_to_its_end(
    start: Start, bounds: dict[str, Any], at_least: int, record: Record
) -> None:
    found = Search(start, **bounds).run()
    record(f"{found.states:,} states, {found.transitions:,} transitions")
    assert found.violations == []
    assert found.states >= at_least, "the search has lost its way: it used to see more"


def test_random_schedules_of_many_jobs_keep_the_invariants_on_sqlite(record: Record) -> None:
    engine = memory_engine()
    with engine.connect() as connection:
        assert first_failure(connection, range(15), WALK_STEPS) == []
    record(f"15 seeds of {WALK_STEPS} steps")
    engine.dispose()


@pytest.mark.full
@pytest.mark.timeout(1_800)
def test_a_thousand_random_schedules_keep_the_invariants(record: Record) -> None:
    engine = memory_engine()
    with engine.connect() as connection:
        assert first_failure(connection, range(1_000, 2_000), WALK_STEPS) == []
    record(f"1,000 seeds of {WALK_STEPS} steps")
    engine.dispose()


@pytest.mark.parametrize("seeds", [5, pytest.param(15, marks=pytest.mark.full)], ids="{} seeds".format)
async def test_random_schedules_of_many_jobs_keep_the_invariants_on_postgres(
    empty_postgres_url: str, record: Record, seeds: int
) -> None:
    engine = create_async_engine(empty_postgres_url)
    async with engine.begin() as connection:
        await connection.run_sync(create_tables)
    async with engine.connect() as connection:
        found = await connection.run_sync(first_failure, range(seeds), 40, judge_every=5)
    assert found == []
    record(f"{seeds} seeds of 40 steps")
    await engine.dispose()


@pytest.mark.sabotage
@pytest.mark.parametrize("sabotage", SEARCHED, ids=lambda each: each.__name__)
def test_the_enumeration_misses_each_mechanism(sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch)
    options = {"attempts": 2} | SEARCHED[sabotage]
    assert Search(a_job, **options).run().violations, "the job protocol does as well without it"


@pytest.mark.sabotage
@pytest.mark.parametrize(
    "sabotage",
    [*WALKED, *(pytest.param(each, marks=pytest.mark.full) for each in SELDOM)],
    ids=lambda each: each.__name__,
)
def test_random_schedules_miss_each_mechanism(sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch)
    engine = memory_engine()
    with engine.connect() as connection:
        assert first_failure(connection, range(300), WALK_STEPS), "the job protocol does as well without it"
    engine.dispose()
