"""Claims and leases: each job goes to one worker, and comes back when that worker is gone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from router.lifecycle import JobState
from store.claim import claim_jobs, claim_slice, read_payloads
from store.finish import finish
from store.ids import new_id
from store.leases import POISON_CRASHES, WorkerState, disown, mark_watched, renew, rescue
from tests.faults.schedules_rows import (
    LEASE_MS,
    add_job,
    add_loaded_batch,
    answered,
    claimant,
    interrupted,
    moved_on,
    retried,
)
from tests.services.job_protocol import Store, open_store


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


def add_jobs(connection: Connection, now_ms: int, count: int) -> list[bytes]:
    return [add_job(connection, now_ms) for _ in range(count)]


def state_of(worker: bytes) -> WorkerState:
    return WorkerState(worker, "host", "[]", 1, 0, "1")


async def test_workers_that_claim_overlapping_messages_share_the_jobs(store: Store) -> None:
    jobs = await store(add_jobs, 60)
    async with store.second() as other:
        pieces = [(at, [store, other][at % 2]) for at in range(0, 60, 5)]
        claims = await asyncio.gather(*(each.claim(new_id(), *jobs[at : at + 20]) for at, each in pieces))
    claimed = [job.id for claim in claims for job in claim]
    assert sorted(claimed) == sorted(jobs)
    assert await store.check() == []


async def test_a_slice_delivered_to_many_workers_is_claimed_by_one(store: Store) -> None:
    await store(add_loaded_batch, 8)
    (slice_id,) = await store.slices("one.batch", 100)
    async with store.second() as other:
        claims = await asyncio.gather(*(each(claim_slice, claimant(new_id()), slice_id) for each in [store, other] * 3))
    assert sorted(len(claim) for claim in claims) == [0, 0, 0, 0, 0, 8]
    assert await store.check() == []


async def test_a_claim_writes_the_attempt_ahead_and_brings_the_body(store: Store) -> None:
    job_id = await store(add_job)
    worker = new_id()
    (claimed,) = await store.claim(worker, job_id)
    written = await store.row("SELECT n, owner, outcome, lease_until_ms, provider FROM attempt")
    assert tuple(written) == (1, worker, "started", store.now_ms + LEASE_MS, "one")
    assert await store(read_payloads, [claimed.id]) == {job_id: b"{}"}


async def test_a_duplicate_of_a_message_claims_nothing(store: Store) -> None:
    job_id = await store(add_job)
    await store.claim_one(job_id)
    assert await store.claim(new_id(), job_id) == []


async def test_a_job_past_its_deadline_is_not_claimed(store: Store) -> None:
    job_id = await store(add_job, window_ms=1_000)
    store.now_ms += 1_000
    assert await store.claim(new_id(), job_id) == []


async def test_a_slice_past_its_window_is_not_claimed(store: Store) -> None:
    await store(add_loaded_batch, 3, window_ms=1_000)
    (slice_id,) = await store.slices("one.batch", 10)
    store.now_ms += 1_000
    assert await store(claim_slice, claimant(new_id()), slice_id) == []


async def test_a_job_is_not_claimed_before_its_time(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    await store(finish, [retried(claimed, store.now_ms + 500)])
    assert await store.claim(new_id(), claimed.id) == []
    store.now_ms += 500
    (again,) = await store.claim(new_id(), claimed.id)
    assert (again.n, again.tries) == (2, 1)


async def test_a_job_that_moved_to_another_queue_is_not_claimed_by_its_old_message(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    await store(finish, [moved_on(claimed, store.now_ms)])
    elsewhere = replace(claimant(new_id()), queues=("one", "one.batch"))
    assert await store(claim_jobs, elsewhere, [claimed.id]) == []
    (there,) = await store.claim(new_id(), claimed.id)
    assert (there.queue, there.route_index) == ("two", 1)


async def test_a_renewed_lease_is_not_rescued_and_a_lapsed_one_is(store: Store) -> None:
    worker, job_id = new_id(), await store(add_job)
    await store.claim(worker, job_id)
    store.now_ms += LEASE_MS
    renewal = await store(renew, state_of(worker), LEASE_MS)
    assert renewal.held == {(job_id, 1)}
    assert not renewal.unwanted
    store.now_ms += LEASE_MS
    assert (await store(rescue, 0)).requeued == []
    store.now_ms += 1
    assert (await store(rescue, 0)).requeued == [job_id]
    renewal = await store(renew, state_of(worker), LEASE_MS)
    assert renewal.held == set()
    assert await store.check() == []


async def test_a_renewal_names_the_calls_that_nobody_needs_any_more(store: Store) -> None:
    first = await store.claim_one(await store(add_job))
    store.now_ms += LEASE_MS + 1
    await store(rescue, 0)
    worker = new_id()
    await store.claim(worker, first.id)
    await store(finish, [answered(first)])
    renewal = await store(renew, state_of(worker), LEASE_MS)
    assert renewal.unwanted == {first.id}


async def test_a_job_that_keeps_killing_its_workers_ends_as_poison(store: Store) -> None:
    job_id = await store(add_job)
    for crash in range(1, POISON_CRASHES + 1):
        assert len(await store.claim(new_id(), job_id)) == 1, f"crash {crash}"
        await store(mark_watched, job_id, crash)
        store.now_ms += LEASE_MS + 1
        await store(rescue, 0)
    ended = await store.row("SELECT state, error_class, crashes FROM job")
    assert tuple(ended) == (JobState.FAILED, "poison", POISON_CRASHES)
    assert await store.claim(new_id(), job_id) == []
    assert await store.check(finished=True) == []


@pytest.mark.parametrize("crashes", range(1, POISON_CRASHES))
async def test_a_watched_job_that_only_waited_while_its_worker_died_is_not_blamed(store: Store, crashes: int) -> None:
    job_id = await store(add_job, crashes=crashes)
    for _ in range(3):
        await store.claim(new_id(), job_id)
        store.now_ms += LEASE_MS + 1
        assert (await store(rescue, 0, 60_000)).requeued == [job_id]
    row = await store.row("SELECT crashes, not_before_ms FROM job")
    assert tuple(row) == (crashes, store.now_ms)
    assert await store.check() == []


@pytest.mark.parametrize(("crashes", "paused_ms"), [(0, 0), (1, 0), (2, 60_000), (3, 120_000)])
async def test_a_job_that_is_close_to_poison_is_left_alone_for_ever_longer(
    store: Store, crashes: int, paused_ms: int
) -> None:
    job_id = await store(add_job, crashes=crashes)
    await store.claim(new_id(), job_id)
    await store(mark_watched, job_id, 1)
    store.now_ms += LEASE_MS + 1
    await store(rescue, 700, 60_000)
    row = await store.row("SELECT crashes, not_before_ms FROM job")
    assert tuple(row) == (crashes + 1, store.now_ms + 700 + paused_ms)


async def test_a_line_that_is_poison_counts_as_failed_and_ends_its_batch(store: Store) -> None:
    batch_id = await store(add_loaded_batch, 1)
    (slice_id,) = await store.slices("one.batch", 10)
    (line,) = await store(claim_slice, claimant(new_id()), slice_id)
    for crash in range(1, POISON_CRASHES + 1):
        await store(mark_watched, line.id, crash)
        store.now_ms += LEASE_MS + 1
        await store(rescue, 0)
        await store.claim(new_id(), line.id)
    row = await store.row("SELECT id, status, failed, unpriced FROM batch")
    assert tuple(row) == (batch_id, "finalizing", 1, POISON_CRASHES)
    assert await store.check() == []


async def test_a_claim_that_its_worker_never_heard_of_is_disowned_and_rescued(store: Store) -> None:
    worker, jobs = new_id(), await store(add_jobs, 2)
    await store.claim(worker, *jobs)
    await store(disown, worker, [(jobs[0], 1)])
    await store(disown, new_id(), [(jobs[1], 1)])
    store.now_ms += 1
    assert (await store(rescue, 0)).requeued == jobs[:1]
    renewal = await store(renew, state_of(worker), LEASE_MS)
    assert renewal.held == {(jobs[1], 1)}
    assert await store.check() == []


async def test_a_rescued_job_waits_its_jitter(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    store.now_ms += LEASE_MS + 1
    await store(rescue, 700)
    store.now_ms += 699
    assert await store.claim(new_id(), claimed.id) == []
    store.now_ms += 1
    assert len(await store.claim(new_id(), claimed.id)) == 1


async def test_many_sweeps_rescue_each_job_once(store: Store) -> None:
    jobs = await store(add_jobs, 20)
    await store.claim(new_id(), *jobs)
    store.now_ms += LEASE_MS + 1
    async with store.second() as other:
        rescued = await asyncio.gather(*(each(rescue, 0) for each in [store, other] * 3))
    assert sorted(job_id for each in rescued for job_id in each.requeued) == sorted(jobs)
    assert [row.crashes for row in await store.rows("SELECT crashes FROM job")] == [1] * 20
    assert await store.check() == []


async def test_a_drained_call_goes_back_without_a_crash(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    await store(finish, [interrupted(claimed, store.now_ms)])
    assert tuple(await store.row("SELECT state, crashes, tries FROM job")) == ("queued", 0, 0)
    assert await store.check() == []
