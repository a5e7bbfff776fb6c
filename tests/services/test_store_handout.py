"""Hand-out: a bounded window, and nothing published is forgotten."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from store.batches import request_cancel
from store.claim import claim_slice
from store.epoch import enter_epoch
from store.finish import finish
from store.handout import busy_queues, hand_out, unclaimed
from store.ids import MASTER_KEY_ID, new_id
from store.leases import rescue
from store.messages import JobsMessage, SliceMessage
from store.outlook import look_out
from store.resends import forget_publishes, oldest_first, stranded
from tests.faults.schedules_plans import plan
from tests.faults.schedules_rows import LEASE_MS, add_job, add_loaded_batch, answered, claimant, retried
from tests.services.handed_out import batches_of, jobs_of, slices_of
from tests.services.job_protocol import Store, open_store

LINES = "one.batch"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


async def test_batches_take_turns(store: Store) -> None:
    batches = [await store(add_loaded_batch, total, slice_jobs=2) for total in (12, 4, 4)]
    turns = await batches_of(store, await store(hand_out, plan(LINES, window=12)))
    assert [turns[:3], turns[3:6]] == [batches, batches], "one slice of each batch in turn, though one has many"


async def test_the_batch_that_waited_longest_is_served_first(store: Store) -> None:
    batches = [await store(add_loaded_batch, 6, slice_jobs=2, routes=["first"]) for _ in range(2)]
    served = []
    for _ in range(4):
        store.now_ms += 1
        messages = await store(hand_out, plan(LINES, window=1))
        served += await batches_of(store, messages)
        await store(claim_slice, claimant(new_id()), slices_of(messages)[0])
    assert served == batches * 2


async def test_the_window_bounds_what_is_published_and_not_claimed(store: Store) -> None:
    for _ in range(5):
        await store(add_job, queue=LINES)
    await store(add_loaded_batch, 20, slice_jobs=3, routes=["first"])
    assert len(jobs_of(await store(hand_out, plan(LINES, window=3)))) == 3
    assert await store(hand_out, plan(LINES, window=3)) == []
    await store(hand_out, plan(LINES, window=12))
    published = await store(unclaimed, LINES)
    assert 12 <= published < 12 + 3, "no more than the rest of one slice above the window"
    assert await store(hand_out, plan(LINES, window=12)) == []


async def test_workers_that_hand_out_at_the_same_time_keep_the_window_together(store: Store) -> None:
    for _ in range(6):
        await store(add_loaded_batch, 12, slice_jobs=2)
    async with store.second() as other:
        pieces = await asyncio.gather(*(each(hand_out, plan(window=10)) for each in [store, other] * 4))
    sent = [slice_id for messages in pieces for slice_id in slices_of(messages)]
    assert len(sent) == len(set(sent)) == 10, "five slices for each of the two queues"
    assert [await store(unclaimed, queue) for queue in (LINES, "two.batch")] == [10, 10]


async def test_a_claim_makes_room_in_the_window(store: Store) -> None:
    for _ in range(4):
        await store(add_job)
    first = jobs_of(await store(hand_out, plan("one", window=2)))
    await store.claim(new_id(), first[0])
    assert len(jobs_of(await store(hand_out, plan("one", window=2)))) == 1


async def test_higher_priority_goes_first_and_then_whoever_was_due_first(store: Store) -> None:
    waited = await store.claim_one(await store(add_job))
    await store(finish, [retried(waited, store.now_ms + 5)])
    store.now_ms += 10
    plain, urgent = await store(add_job), await store(add_job, priority=5)
    assert jobs_of(await store(hand_out, plan("one"))) == [urgent, plain, waited.id]


async def test_single_jobs_go_before_lines(store: Store) -> None:
    await store(add_loaded_batch, 2)
    await store(add_job, queue=LINES)
    first, second = await store(hand_out, plan(LINES))
    assert (type(first), type(second)) == (JobsMessage, SliceMessage)


async def test_a_job_is_not_handed_out_before_its_time(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    await store(finish, [retried(claimed, store.now_ms + 500)])
    assert await store(hand_out, plan("one")) == []
    store.now_ms += 500
    assert jobs_of(await store(hand_out, plan("one"))) == [claimed.id]


async def test_a_cancelled_batch_is_not_handed_out(store: Store) -> None:
    batch_id = await store(add_loaded_batch, 2)
    await store(request_cancel, (MASTER_KEY_ID,), batch_id)
    assert await store(hand_out, plan()) == []


async def test_a_queue_with_anything_unclaimed_is_busy(store: Store) -> None:
    assert await store(busy_queues) == set()
    waiting, _, taken = [await store(add_job, queue=queue) for queue in ("one", "two", "two.batch")]
    await store(hand_out, plan("two", "two.batch"))
    await store.claim(new_id(), taken)
    assert await store(busy_queues) == {"one", "two"}
    await store.claim(new_id(), waiting)
    await store(add_loaded_batch, 2)
    assert await store(busy_queues) == {"two", LINES}, "lines that wait for room, too"
    await store(hand_out, plan(LINES))
    assert await store(busy_queues) == {"two", LINES}


async def test_only_what_is_old_enough_and_unclaimed_is_sent_again(store: Store) -> None:
    published_at_ms = store.now_ms
    kept, claimed = await store(add_job, queue=LINES), await store(add_job, queue=LINES)
    await store(add_loaded_batch, 4, slice_jobs=2)
    slice_ids = slices_of(await store(hand_out, plan(LINES)))
    await store.claim(new_id(), claimed)
    await store(claim_slice, claimant(new_id()), slice_ids[0])
    store.now_ms += 1_000
    assert await store(stranded, LINES, published_at_ms) == []
    again = await store(stranded, LINES, published_at_ms + 1)
    assert jobs_of(again) == [kept]
    assert slices_of(again) == [slice_ids[1]]
    assert await store(stranded, LINES, store.now_ms) == [], "sending again starts the wait anew"
    counted = await store.rows("SELECT publish_n FROM job WHERE batch_id IS NULL ORDER BY id")
    assert [row.publish_n for row in counted] == [2, 1]


async def test_what_is_not_published_is_not_stranded(store: Store) -> None:
    await store(add_job)
    assert await store(stranded, "one", store.now_ms + 10**6) == []


async def test_a_job_that_ended_while_its_message_was_on_its_way_is_not_sent_again(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    store.now_ms += LEASE_MS + 1
    await store(rescue, 0)
    assert jobs_of(await store(hand_out, plan("one"))) == [claimed.id]
    await store(finish, [answered(claimed)])
    assert await store(stranded, "one", store.now_ms + 10**6) == []


async def test_forgetting_the_publishes_hands_everything_unclaimed_out_again(store: Store) -> None:
    waiting, running = await store(add_job, queue=LINES), await store(add_job, queue=LINES)
    await store(add_loaded_batch, 2)
    before = await store(hand_out, plan(LINES))
    await store.claim(new_id(), running)
    await store(forget_publishes)
    assert await store(unclaimed, LINES) == 0
    again = await store(hand_out, plan(LINES))
    assert jobs_of(again) == [waiting]
    assert [type(each) for each in again] == [type(each) for each in before]
    assert await store.check() == []


async def test_a_new_life_of_redis_is_entered_once(store: Store) -> None:
    await store(enter_epoch, "first")
    await store(add_job)
    await store(hand_out, plan("one"))
    assert await store(enter_epoch, "first") is False
    assert await store(unclaimed, "one") == 1
    async with store.second() as other:
        entered = await asyncio.gather(*(each(enter_epoch, "second") for each in [store, other] * 2))
    assert sorted(entered) == [False, False, False, True]
    assert (await store(look_out)).epoch == "second"
    assert await store(unclaimed, "one") == 0


async def test_without_redis_workers_find_what_was_handed_out_first(store: Store) -> None:
    jobs = [await store(add_job, queue=LINES) for _ in range(4)]
    assert await store(oldest_first, LINES, 10) == ([], []), "hand-out decides who is first, with Redis and without"
    handed_out = []
    for _ in range(2):
        store.now_ms += 1
        await store(add_loaded_batch, 2)
        handed_out += await store(hand_out, plan(LINES))
    found, slice_ids = await store(oldest_first, LINES, 10)
    assert (sorted(found), slice_ids) == (jobs, slices_of(handed_out)[:1])
    assert len((await store(oldest_first, LINES, 2))[0]) == 2
