"""What a long window has used is counted from the attempts, on both databases."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection, update

from providers.limit import DAY_MS, Measure
from router.outcome import AttemptOutcome
from router.scope import Scope, deployment_scope, key_scope, provider_scope
from store.ids import MASTER_KEY_ID, new_id
from store.tables import attempt
from store.window_usage import used_in_window
from tests.faults.schedules_rows import add_job
from tests.services.job_protocol import Store, open_store

ONE = provider_scope("one")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        store.now_ms = time.time_ns() // 1_000_000  # the ids of jobs tell when they were made
        yield store


def _change(connection: Connection, _now_ms: int, job_id: bytes, values: dict[str, Any]) -> None:
    connection.execute(update(attempt).where(attempt.c.job_id == job_id).values(**values))


async def called(store: Store, *, age_ms: int = 0, **values: Any) -> None:
    """A call that was made some time ago, with these columns of its attempt."""
    job_id = await store(add_job)
    await store.claim(new_id(), job_id)
    await store(_change, job_id, {"started_at_ms": store.now_ms - age_ms, "outcome": AttemptOutcome.OK} | values)


async def used(store: Store, scope: Scope = ONE, measure: Measure = Measure.REQUESTS, window_ms: int = DAY_MS) -> int:
    return await store(used_in_window, scope, measure, window_ms)


async def test_nothing_was_used_before_the_first_call(store: Store) -> None:
    assert [await used(store, measure=measure) for measure in Measure if measure is not Measure.PARALLEL] == [0] * 5


async def test_every_measure_is_summed_over_the_calls_of_the_window(store: Store) -> None:
    await called(store, prompt_tokens=100, completion_tokens=10, cost_nanousd=5_000_000_000)
    await called(store, prompt_tokens=200, completion_tokens=20, cost_nanousd=6_000_000_000)
    await called(store, outcome=AttemptOutcome.ERROR)
    await called(store, age_ms=DAY_MS + 1, prompt_tokens=1_000, completion_tokens=1_000, cost_nanousd=1)
    found = {measure: await used(store, measure=measure) for measure in Measure if measure is not Measure.PARALLEL}
    assert found == {
        Measure.REQUESTS: 3,
        Measure.TOKENS: 330,
        Measure.INPUT_TOKENS: 300,
        Measure.OUTPUT_TOKENS: 30,
        Measure.NANOUSD: 11_000_000_000,
    }


async def test_calls_that_failed_and_calls_of_unknown_outcome_count(store: Store) -> None:
    for outcome in (AttemptOutcome.UNKNOWN, AttemptOutcome.ERROR):
        await called(store, outcome=outcome)
    assert await used(store) == 2


async def test_calls_that_were_never_made_or_were_refused_count_nothing(store: Store) -> None:
    await called(store, outcome=AttemptOutcome.RELEASED)
    await called(store, outcome=AttemptOutcome.STARTED)  # its job may only wait for a permit
    await called(store, outcome=AttemptOutcome.ERROR, http_status=429)
    await called(store, outcome=AttemptOutcome.ERROR, http_status=500)
    assert await used(store) == 1


async def test_each_scope_counts_its_own(store: Store) -> None:
    await called(store)
    await called(store, model="other")
    await called(store, provider="two")
    await called(store, key_id=b"k" * 16)
    scopes = (ONE, deployment_scope("one", "m"), provider_scope("two"), key_scope(MASTER_KEY_ID), key_scope(b"k" * 16))
    assert [await used(store, scope) for scope in scopes] == [3, 2, 1, 3, 1]


async def test_a_shorter_window_counts_less(store: Store) -> None:
    for age_ms in (0, 3_599_000, 3_600_000, 7_000_000):
        await called(store, age_ms=age_ms)
    assert (await used(store, window_ms=3_600_000), await used(store, window_ms=7_200_000)) == (2, 4)
