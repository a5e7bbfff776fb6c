"""A batch's life in the store: checked, loaded in chunks, closed early or finished, written once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from providers.failure import ErrorClass
from router.lifecycle import JobState
from store.batches import request_cancel
from store.claim import ClaimedJob, claim_jobs, claim_slice
from store.closing import Closing, begin_expiry, close_lines, closing_batches, cut_lines
from store.finish import finish
from store.handout import hand_out
from store.ids import MASTER_KEY_ID, new_id
from store.keeping import Chore, KeptBatch, keep_on, keep_one, let_go
from store.leases import rescue
from store.loading import accept, load_chunk, reject
from store.messages import SliceMessage
from store.output import publish_output, read_ended_lines
from tests.faults.schedules_plans import plan
from tests.faults.schedules_rows import (
    COST,
    LEASE_MS,
    add_batch,
    add_loaded_batch,
    answered,
    claimant,
    files,
    given_up,
    keep,
    lines,
    retried,
)
from tests.services.job_protocol import Store, open_store

BATCH = "SELECT status, closing, total, loaded, completed, failed FROM batch"
GRACE_MS = 5_000


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


async def accepted(store: Store, total: int, worker: bytes) -> KeptBatch:
    """A batch that was accepted and is kept by the worker to be loaded."""
    batch_id = await store(add_batch)
    await store(keep, Chore.VALIDATE, worker)
    assert await store(accept, batch_id, worker, total=total, model=None)
    await store(let_go, batch_id, worker)
    return await store(keep, Chore.LOAD, worker)


async def run_lines(store: Store, window: int = 1_000) -> list[ClaimedJob]:
    """Hand out and claim all that waits."""
    messages = await store(hand_out, plan("one.batch", window=window))
    claimed: list[ClaimedJob] = []
    for message in messages:
        if isinstance(message, SliceMessage):
            claimed += await store(claim_slice, claimant(new_id()), message.slice_id)
        else:
            claimed += await store(claim_jobs, claimant(new_id()), message.job_ids)
    return claimed


async def close_all(store: Store) -> None:
    for closing in await store(closing_batches, GRACE_MS):
        while await store(close_lines, closing):
            pass
        if closing.cut_running:
            await store(cut_lines, closing)


async def write_files(store: Store, worker: bytes) -> KeptBatch:
    kept = await store(keep, Chore.WRITE, worker)
    assert await store(publish_output, kept, worker, files(10))
    return kept


async def test_a_batch_runs_to_its_files_with_exact_counters(store: Store) -> None:
    await store(add_loaded_batch, 5, slice_jobs=2)
    claimed = await run_lines(store)
    assert [job.batch_id is not None for job in claimed] == [True] * 5
    done = await store(finish, [answered(job) for job in claimed[:4]])
    assert done.to_write is False
    assert tuple(await store.row(BATCH)) == ("in_progress", None, 5, 5, 4, 0)
    done = await store(finish, [given_up(claimed[4])])
    assert done.to_write is True
    kept = await write_files(store, new_id())
    row = await store.row("SELECT status, output_file_id, cost_nanousd, prompt_tokens FROM batch")
    assert (row.status, row.cost_nanousd, row.prompt_tokens) == ("completed", 4 * COST + 3, 4 * 10 + 2)
    ended = await store(read_ended_lines, kept.id, 0, 10)
    assert [(line.number, line.custom_id) for line in ended] == [(n, f"c{n}") for n in range(1, 6)]
    assert [line.number for line in await store(read_ended_lines, kept.id, 2, 2)] == [3, 4]
    assert await store.check(finished=True) == []


async def test_a_line_that_is_tried_again_goes_alone(store: Store) -> None:
    await store(add_loaded_batch, 2, slice_jobs=2)
    first, second = await run_lines(store)
    await store(finish, [retried(first, store.now_ms), answered(second)])
    (again,) = await run_lines(store)
    assert (again.id, again.n) == (first.id, 2)
    await store(finish, [answered(again)])
    assert tuple(await store.row(BATCH)) == ("finalizing", None, 2, 2, 2, 0)
    assert await store.check() == []


async def test_loading_goes_on_where_a_dead_loader_stopped(store: Store) -> None:
    dead, heir = new_id(), new_id()
    kept = await accepted(store, 6, dead)
    assert await store(load_chunk, kept, dead, lines(range(1, 5)), 2)
    assert await store(keep_one, Chore.LOAD, heir, LEASE_MS) is None, "the dead loader's lease has not run out"
    store.now_ms += LEASE_MS + 1
    taken = await store(keep, Chore.LOAD, heir)
    assert taken.loaded == 4
    assert not await store(load_chunk, kept, dead, lines([5]), 2), "it was overtaken"
    assert not await store(keep_on, kept.id, dead, LEASE_MS)
    assert await store(load_chunk, taken, heir, lines([5, 6]), 2)
    assert tuple(await store.row(BATCH)) == ("in_progress", None, 6, 6, 0, 0)
    assert await store.check() == []


async def test_a_chunk_that_is_committed_twice_is_written_once(store: Store) -> None:
    worker = new_id()
    kept = await accepted(store, 4, worker)
    assert await store(load_chunk, kept, worker, lines([1, 2]), 2)
    assert not await store(load_chunk, kept, worker, lines([1, 2]), 2)
    assert tuple(await store.row(BATCH)) == ("in_progress", None, 4, 2, 0, 0)
    assert await store.check() == []


async def test_lines_run_while_the_rest_is_loaded_and_the_batch_waits_for_the_last(store: Store) -> None:
    worker = new_id()
    kept = await accepted(store, 4, worker)
    await store(load_chunk, kept, worker, lines([1, 2]), 2)
    await store(finish, [answered(job) for job in await run_lines(store)])
    assert tuple(await store.row(BATCH)) == ("in_progress", None, 4, 2, 2, 0)
    await store(load_chunk, kept, worker, lines([3, 4]), 2)
    await store(finish, [answered(job) for job in await run_lines(store)])
    assert tuple(await store.row(BATCH)) == ("finalizing", None, 4, 4, 4, 0)


async def test_a_batch_cancelled_while_it_is_loaded_has_a_row_for_every_line(store: Store) -> None:
    worker = new_id()
    kept = await accepted(store, 6, worker)
    await store(load_chunk, kept, worker, lines([1, 2]), 2)
    running = await run_lines(store)
    await store(load_chunk, kept, worker, lines([3, 4]), 2)
    await store(request_cancel, (MASTER_KEY_ID,), kept.id)
    await close_all(store)
    await store(load_chunk, kept, worker, lines([5, 6]), 2)
    await store(let_go, kept.id, worker)
    assert tuple(await store.row(BATCH)) == ("cancelling", "cancelled", 6, 6, 0, 4)
    done = await store(finish, [answered(job) for job in running])
    assert done.to_write is True
    await write_files(store, worker)
    assert tuple(await store.row(BATCH)) == ("cancelled", "cancelled", 6, 6, 2, 4)
    assert await store.check(finished=True) == []


async def test_running_lines_of_a_cancelled_batch_are_cut_after_the_grace(store: Store) -> None:
    batch_id = await store(add_loaded_batch, 3, slice_jobs=1)
    running = await run_lines(store, window=2)
    await store(request_cancel, (MASTER_KEY_ID,), batch_id)
    await close_all(store)
    assert tuple(await store.row(BATCH)) == ("cancelling", "cancelled", 3, 3, 0, 1)
    store.now_ms += GRACE_MS
    (closing,) = await store(closing_batches, GRACE_MS)
    assert closing == Closing(batch_id, JobState.CANCELLED, cut_running=True)
    assert sorted(await store(cut_lines, closing)) == sorted(job.id for job in running)
    assert await store(closing_batches, GRACE_MS) == []
    await store(finish, [answered(running[0])])
    store.now_ms += LEASE_MS
    await store(rescue, 0)
    row = await store.row("SELECT completed, failed, cost_nanousd, unpriced FROM batch")
    assert tuple(row) == (0, 3, COST, 1), "a cut call still costs, and one that says nothing is exposure"
    assert await store.check() == []


async def test_a_batch_whose_window_ends_keeps_its_answers_and_ends_as_expired(store: Store) -> None:
    await store(add_loaded_batch, 4, slice_jobs=2, window_ms=60_000)
    first, second = await run_lines(store, window=1)
    await store(finish, [answered(first), retried(second, store.now_ms)])
    await store(begin_expiry)
    assert await store(closing_batches, GRACE_MS) == [], "the window is not over"
    store.now_ms += 60_000
    await store(begin_expiry)
    await close_all(store)
    assert tuple(await store.row(BATCH)) == ("finalizing", "expired", 4, 4, 1, 3)
    classes = await store.rows("SELECT error_class FROM job WHERE state = 'expired'")
    assert [row.error_class for row in classes] == [ErrorClass.EXPIRED] * 3
    await write_files(store, new_id())
    assert (await store.row(BATCH)).status == "expired"
    assert await store.check(finished=True) == []


async def test_a_batch_that_is_cancelled_before_it_was_checked_never_runs(store: Store) -> None:
    batch_id, worker = await store(add_batch), new_id()
    await store(request_cancel, (MASTER_KEY_ID,), batch_id)
    await store(keep, Chore.VALIDATE, worker)
    assert await store(reject, batch_id, worker, "[]")
    assert (await store.row(BATCH)).status == "cancelled"
    assert not await store(accept, batch_id, worker, total=3, model=None)
    assert await store.check(finished=True) == []


async def test_a_batch_that_is_cancelled_while_it_is_checked_ends_all_its_lines(store: Store) -> None:
    batch_id, worker = await store(add_batch), new_id()
    await store(keep, Chore.VALIDATE, worker)
    await store(request_cancel, (MASTER_KEY_ID,), batch_id)
    assert await store(accept, batch_id, worker, total=2, model=None)
    await store(let_go, batch_id, worker)
    kept = await store(keep, Chore.LOAD, worker)
    await store(load_chunk, kept, worker, lines([1, 2]), 2)
    await store(let_go, batch_id, worker)
    await write_files(store, worker)
    assert tuple(await store.row(BATCH)) == ("cancelled", "cancelled", 2, 2, 0, 2)
    assert await store.check(finished=True) == []


async def test_a_chore_is_kept_by_one_worker_at_a_time(store: Store) -> None:
    for _ in range(3):
        await store(add_batch)
    async with store.second() as other:
        kept = await asyncio.gather(
            *(each(keep_one, Chore.VALIDATE, new_id(), LEASE_MS) for each in [store, other] * 4)
        )
    taken = [each.id for each in kept if each]
    assert len(taken) == len(set(taken))
    assert len(taken) <= 3
    for _ in range(3 - len(taken)):  # PostgreSQL passes over a row that another transaction has locked
        found = await store(keep_one, Chore.VALIDATE, new_id(), LEASE_MS)
        assert found is not None
    assert await store(keep_one, Chore.VALIDATE, new_id(), LEASE_MS) is None


async def test_a_keeper_that_renews_keeps_its_batch(store: Store) -> None:
    batch_id, worker = await store(add_batch), new_id()
    await store(keep, Chore.VALIDATE, worker)
    store.now_ms += LEASE_MS
    assert await store(keep_on, batch_id, worker, LEASE_MS)
    store.now_ms += LEASE_MS
    assert await store(keep_one, Chore.VALIDATE, new_id(), LEASE_MS) is None
    store.now_ms += 1
    assert await store(keep_one, Chore.VALIDATE, new_id(), LEASE_MS) is not None
    assert not await store(keep_on, batch_id, worker, LEASE_MS)
    assert not await store(accept, batch_id, worker, total=1, model=None)


async def test_a_writer_that_was_overtaken_publishes_nothing(store: Store) -> None:
    await store(add_loaded_batch, 1)
    await store(finish, [answered(job) for job in await run_lines(store)])
    slow, quick = new_id(), new_id()
    kept = await store(keep, Chore.WRITE, slow)
    store.now_ms += LEASE_MS + 1
    taken = await store(keep, Chore.WRITE, quick)
    assert not await store(publish_output, kept, slow, files(1, name="slow.jsonl"))
    assert (await store.row(BATCH)).status == "finalizing"
    mine = files(1, name="quick.jsonl")
    assert await store(publish_output, taken, quick, mine)
    assert not await store(publish_output, taken, quick, mine), "files are published once"
    names = await store.rows("SELECT filename FROM file WHERE purpose = 'batch_output'")
    assert [row.filename for row in names] == ["quick.jsonl"]
    assert await store.check(finished=True) == []


async def test_many_lines_are_closed_in_steps(store: Store) -> None:
    batch_id = await store(add_loaded_batch, 40, slice_jobs=1)
    await store(request_cancel, (MASTER_KEY_ID,), batch_id)
    (closing,) = await store(closing_batches, GRACE_MS)
    steps = []
    while ended := await store(close_lines, closing):
        steps.append(ended)
    assert (len(steps) > 1, sum(steps)) == (True, 40)
    assert await store.check() == []
