"""How the end of a job is read for the caller that waits: who answered, and why it was not the first that was asked."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from providers.failure import ErrorClass
from store.endings import Ending, read_endings
from store.finish import finish
from store.settlement import Requeued
from tests.faults.schedules_rows import add_job, answered, given_up, moved_on, released, retried
from tests.services.job_protocol import Store, open_store


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


async def ending_of(store: Store, job_id: bytes) -> Ending:
    (ending,) = await store(read_endings, [job_id])
    return ending


async def test_an_answer_of_the_first_deployment_has_no_reason(store: Store) -> None:
    job_id = await store(add_job)
    await store(finish, [retried(await store.claim_one(job_id), store.now_ms)])
    await store(finish, [answered(await store.claim_one(job_id))])
    ending = await ending_of(store, job_id)
    assert (ending.attempts, ending.provider, ending.model, ending.reason) == (2, "one", "m", None)


async def test_an_answer_of_another_deployment_says_why(store: Store) -> None:
    job_id = await store(add_job)
    await store(finish, [moved_on(await store.claim_one(job_id), store.now_ms)])
    await store(finish, [answered(await store.claim_one(job_id))])
    ending = await ending_of(store, job_id)
    assert (ending.provider, ending.model, ending.reason) == ("two", "m", "timeout")


async def test_a_job_that_was_moved_without_a_call_says_why(store: Store) -> None:
    job_id = await store(add_job)
    claimed = await store.claim_one(job_id)
    moved = replace(released(claimed, store.now_ms), error_class=ErrorClass.RATE_LIMIT)
    elsewhere = moved_on(claimed, store.now_ms).verdict
    assert isinstance(elsewhere, Requeued)
    await store(finish, [replace(moved, verdict=replace(elsewhere, moved_for=ErrorClass.RATE_LIMIT))])
    await store(finish, [answered(await store.claim_one(job_id))])
    assert (await ending_of(store, job_id)).reason == "rate_limit"


async def test_a_failure_names_the_deployment_that_failed_last(store: Store) -> None:
    job_id = await store(add_job)
    await store(finish, [moved_on(await store.claim_one(job_id), store.now_ms)])
    await store(finish, [given_up(await store.claim_one(job_id))])
    ending = await ending_of(store, job_id)
    assert (ending.state, ending.provider, ending.reason) == ("failed", "two", "timeout")


async def test_a_late_answer_of_the_first_deployment_is_no_move(store: Store) -> None:
    job_id = await store(add_job)
    first = await store.claim_one(job_id)
    await store(finish, [moved_on(first, store.now_ms)])
    second = await store.claim_one(job_id)
    await store(finish, [answered(first)])
    ending = await ending_of(store, job_id)
    assert (ending.attempts, ending.provider, ending.reason) == (second.n, "one", None)
