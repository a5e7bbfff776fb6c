"""What happens between two statements: transactions on PostgreSQL that overlap on purpose."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from store.batches import request_cancel
from store.claim import claim_jobs, claim_slice
from store.closing import close_lines, closing_batches
from store.finish import finish
from store.handout import hand_out
from store.ids import MASTER_KEY_ID, new_id
from store.leases import rescue
from tests.faults.schedules_plans import plan
from tests.faults.schedules_rows import LEASE_MS, add_job, add_loaded_batch, answered, claimant
from tests.services.job_protocol import Store, open_store

PROMPTLY_S = 30.0
"""Long for a slow machine, and short for whoever waits for a transaction that ends after it."""


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    async with open_store(postgres_url) as store:
        yield store


@asynccontextmanager
async def open_transaction(store: Store) -> AsyncIterator[Any]:
    """A transaction that ends with the block; what it calls runs at the store's time."""
    engine = create_async_engine(store.url)
    async with engine.begin() as connection:

        async def run(query: Any, *args: Any) -> Any:
            return await connection.run_sync(query, store.now_ms, *args)

        yield run
    await engine.dispose()


async def test_a_rescue_does_not_wait_for_a_group_that_is_being_committed(store: Store) -> None:
    finishing = await store.claim_one(await store(add_job))
    dead = await store.claim_one(await store(add_job))
    store.now_ms += LEASE_MS + 1
    async with open_transaction(store) as commit:
        await commit(finish, [answered(finishing)])
        async with asyncio.timeout(PROMPTLY_S):
            assert (await store(rescue, 0)).requeued == [dead.id]
    assert (await store(rescue, 0)).requeued == []
    assert await store.check() == []


async def test_a_group_that_meets_a_rescue_under_way_waits_and_is_told_late(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    store.now_ms += LEASE_MS + 1
    async with open_transaction(store) as sweep:
        assert (await sweep(rescue, 0)).requeued == [claimed.id]
        late = asyncio.create_task(store(finish, [answered(claimed)]))
        await asyncio.wait([late], timeout=0.2)
        assert not late.done()
    await late
    assert await store.check(finished=True) == []


async def test_a_batch_is_handed_out_while_its_lines_are_being_finished(store: Store) -> None:
    await store(add_loaded_batch, 4, slice_jobs=2)
    (slice_id,) = await store.slices("one.batch", 1)
    running = await store(claim_slice, claimant(new_id()), slice_id)
    async with open_transaction(store) as commit:
        await commit(finish, [answered(each) for each in running])
        handing_out = asyncio.create_task(store(hand_out, plan("one.batch", window=10)))
        await asyncio.wait([handing_out], timeout=0.2)
    assert len(await handing_out) == 1, "whoever counts a batch's lines must not hide the batch"


async def test_a_line_that_is_claimed_while_its_batch_is_closed_ends_once(store: Store) -> None:
    batch_id = await store(add_loaded_batch, 4, slice_jobs=4)
    (slice_id,) = await store.slices("one.batch", 10)
    await store(request_cancel, (MASTER_KEY_ID,), batch_id)
    (closing,) = await store(closing_batches, 0)
    async with open_transaction(store) as claim:
        claimed = await claim(claim_slice, claimant(new_id()), slice_id)
        assert await store(close_lines, closing) == 0
    assert len(claimed) == 4
    await store(finish, [answered(each) for each in claimed])
    assert await store.check() == []


async def test_a_claim_passes_over_jobs_that_another_transaction_holds(store: Store) -> None:
    jobs = [await store(add_job) for _ in range(3)]
    async with open_transaction(store) as claim:
        assert len(await claim(claim_jobs, claimant(new_id()), jobs[:2])) == 2
        async with asyncio.timeout(PROMPTLY_S):
            assert [each.id for each in await store.claim(new_id(), *jobs)] == jobs[2:]
    assert await store.check() == []
