"""Hand-out: a bounded window, fair between batches, and nothing published is forgotten."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from store.batches import request_cancel
from store.claim import claim_slice
from store.epoch import enter_epoch, known_epoch
from store.finish import finish
from store.handout import (
    JobsMessage,
    Message,
    SliceMessage,
    forget_publishes,
    hand_out,
    oldest_first,
    stranded,
    unclaimed,
)
from store.ids import MASTER_KEY_ID, new_id
from store.leases import rescue
from tests.faults.schedules_rows import LEASE_MS, add_job, add_loaded_batch, answered, claimant, retried
from tests.services.job_protocol import Store, open_store


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


async def owners(store: Store, messages: list[Message]) -> list[bytes]:
    """The batch of each slice message, in order."""
    batch_of = {row.id: row.batch_id for row in await store.rows("SELECT id, batch_id FROM slice")}
    return [batch_of[message.slice_id] for message in messages if isinstance(message, SliceMessage)]


def jobs_of(messages: list[Message]) -> list[bytes]:
    return [job_id for message in messages if isinstance(message, JobsMessage) for job_id in message.job_ids]


async def test_batches_take_turns(store: Store) -> None:
    batches = [await store(add_loaded_batch, total, slice_jobs=2) for total in (12, 4, 4)]
    turns = await owners(store, await store(hand_out, "one.batch", 12))
    assert [turns[:3], turns[3:6]] == [batches, batches], "one slice of each batch in turn, though one has many"


async def test_the_batch_that_waited_longest_is_served_first(store: Store) -> None:
    batches = [await store(add_loaded_batch, 6, slice_jobs=2) for _ in range(2)]
    served = []
    for _ in range(4):
        store.now_ms += 1
        (slice_id,) = await store.slices("one.batch", 1)
        served += await owners(store, [SliceMessage("one.batch", slice_id, 0)])
        await store(claim_slice, claimant(new_id()), slice_id)
    assert served == batches * 2


async def test_the_window_bounds_what_is_published_and_not_claimed(store: Store) -> None:
    for _ in range(5):
        await store(add_job)
    await store(add_loaded_batch, 20, slice_jobs=3, queue="one")
    assert len(jobs_of(await store(hand_out, "one", 3))) == 3
    assert await store(hand_out, "one", 3) == []
    await store(hand_out, "one", 12)
    published = await store(unclaimed, "one")
    assert 12 <= published < 12 + 3, "no more than the rest of one slice above the window"
    assert await store(hand_out, "one", 12) == []


async def test_workers_that_hand_out_at_the_same_time_keep_the_window_together(store: Store) -> None:
    for _ in range(6):
        await store(add_loaded_batch, 12, slice_jobs=2)
    async with store.second() as other:
        pieces = await asyncio.gather(*(each(hand_out, "one.batch", 10) for each in [store, other] * 4))
    sent = [message.slice_id for messages in pieces for message in messages if isinstance(message, SliceMessage)]
    assert len(sent) == len(set(sent)) == 5
    assert await store(unclaimed, "one.batch") == 10


async def test_a_claim_makes_room_in_the_window(store: Store) -> None:
    for _ in range(4):
        await store(add_job)
    first = jobs_of(await store(hand_out, "one", 2))
    await store.claim(new_id(), first[0])
    assert len(jobs_of(await store(hand_out, "one", 2))) == 1


async def test_higher_priority_goes_first_and_then_whoever_was_due_first(store: Store) -> None:
    waited = await store.claim_one(await store(add_job))
    await store(finish, [retried(waited, store.now_ms + 5)])
    store.now_ms += 10
    plain, urgent = await store(add_job), await store(add_job, priority=5)
    assert jobs_of(await store(hand_out, "one", 10)) == [urgent, plain, waited.id]


async def test_single_jobs_go_before_lines(store: Store) -> None:
    await store(add_loaded_batch, 2, queue="one")
    await store(add_job)
    first, second = await store(hand_out, "one", 10)
    assert (type(first), type(second)) == (JobsMessage, SliceMessage)


async def test_a_job_is_not_handed_out_before_its_time(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    await store(finish, [retried(claimed, store.now_ms + 500)])
    assert await store(hand_out, "one", 10) == []
    store.now_ms += 500
    assert jobs_of(await store(hand_out, "one", 10)) == [claimed.id]


async def test_a_cancelled_batch_is_not_handed_out(store: Store) -> None:
    batch_id = await store(add_loaded_batch, 2)
    await store(request_cancel, MASTER_KEY_ID, batch_id)
    assert await store(hand_out, "one.batch", 10) == []


async def test_only_what_is_old_enough_and_unclaimed_is_sent_again(store: Store) -> None:
    published_at_ms = store.now_ms
    kept, claimed = await store(add_job), await store(add_job)
    await store(add_loaded_batch, 4, slice_jobs=2, queue="one")
    messages = await store(hand_out, "one", 10)
    await store.claim(new_id(), claimed)
    slice_ids = [message.slice_id for message in messages if isinstance(message, SliceMessage)]
    await store(claim_slice, claimant(new_id()), slice_ids[0])
    store.now_ms += 1_000
    assert await store(stranded, "one", published_at_ms) == []
    again = await store(stranded, "one", published_at_ms + 1)
    assert jobs_of(again) == [kept]
    assert [message.slice_id for message in again if isinstance(message, SliceMessage)] == [slice_ids[1]]
    assert await store(stranded, "one", store.now_ms) == [], "sending again starts the wait anew"
    counted = await store.rows("SELECT publish_n FROM job WHERE batch_id IS NULL ORDER BY id")
    assert [row.publish_n for row in counted] == [2, 1]


async def test_what_is_not_published_is_not_stranded(store: Store) -> None:
    await store(add_job)
    assert await store(stranded, "one", store.now_ms + 10**6) == []


async def test_a_job_that_ended_while_its_message_was_on_its_way_is_not_sent_again(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    store.now_ms += LEASE_MS + 1
    await store(rescue, 0)
    assert jobs_of(await store(hand_out, "one", 10)) == [claimed.id]
    await store(finish, [answered(claimed)])
    assert await store(stranded, "one", store.now_ms + 10**6) == []


async def test_forgetting_the_publishes_hands_everything_unclaimed_out_again(store: Store) -> None:
    waiting, running = await store(add_job), await store(add_job)
    await store(add_loaded_batch, 2, queue="one")
    before = await store(hand_out, "one", 10)
    await store.claim(new_id(), running)
    await store(forget_publishes)
    assert await store(unclaimed, "one") == 0
    again = await store(hand_out, "one", 10)
    assert jobs_of(again) == [waiting]
    assert [type(each) for each in again] == [type(each) for each in before]
    assert await store.check() == []


async def test_a_new_life_of_redis_is_entered_once(store: Store) -> None:
    await store(enter_epoch, "first")
    await store(add_job)
    await store(hand_out, "one", 10)
    assert await store(enter_epoch, "first") is False
    assert await store(unclaimed, "one") == 1
    async with store.second() as other:
        entered = await asyncio.gather(*(each(enter_epoch, "second") for each in [store, other] * 2))
    assert sorted(entered) == [False, False, False, True]
    assert await store(known_epoch) == "second"
    assert await store(unclaimed, "one") == 0


async def test_without_redis_the_oldest_work_comes_first(store: Store) -> None:
    jobs = [await store(add_job) for _ in range(4)]
    late = await store.claim_one(jobs[0])
    await store(finish, [retried(late, store.now_ms + 5)])
    store.now_ms += 10
    batches = [await store(add_loaded_batch, 2, queue="one") for _ in range(2)]
    found, slice_ids = await store(oldest_first, "one", 10)
    assert found == [*jobs[1:], jobs[0]]
    assert await owners(store, [SliceMessage("one", each, 0) for each in slice_ids]) == batches[:1]
    assert await store(oldest_first, "one", 2) == (jobs[1:3], slice_ids)
