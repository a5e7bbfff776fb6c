"""Hand-out chooses the deployment of each slice, late: when there is room for it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import Connection

from router.deployment import Deployment
from router.standing import Closed, Standing
from store.claim import ClaimedJob, claim_slice
from store.compiled import driver
from store.handout import busy_queues, hand_out, unclaimed
from store.ids import new_id
from store.messages import Message
from store.resends import forget_publishes
from tests.faults.schedules_plans import plan
from tests.faults.schedules_rows import add_job, add_loaded_batch, claimant
from tests.services.handed_out import batches_of, slices_of
from tests.services.job_protocol import Store, open_store

ONE, TWO = "one.batch", "two.batch"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


async def claim(store: Store, messages: list[Message], queue: str) -> list[ClaimedJob]:
    """Claim the slices that went to a queue."""
    claimed: list[ClaimedJob] = []
    for slice_id in slices_of(messages, queue):
        claimed += await store(claim_slice, claimant(new_id()), slice_id)
    return claimed


def closed(*providers: str, reason: Closed = Closed.FAILING, wait_ms: int = 0) -> Callable[[Deployment], Standing]:
    """Standings in which these providers are closed."""

    def standing(deployment: Deployment) -> Standing:
        return Standing(closed=reason, wait_ms=wait_ms) if deployment.provider in providers else Standing()

    return standing


async def test_an_idle_deployment_drains_the_backlog_of_a_busy_one(store: Store) -> None:
    await store(add_loaded_batch, 40, slice_jobs=2)
    first = await store(hand_out, plan(slice_jobs=2))
    assert (len(slices_of(first, ONE)), len(slices_of(first, TWO))) == (2, 2)
    assert not any(job.queue == ONE for job in await claim(store, first, TWO))
    drained = 2
    while messages := await store(hand_out, plan(slice_jobs=2)):
        assert slices_of(messages, ONE) == [], "the first provider has claimed nothing of what it was given"
        drained += len(slices_of(messages, TWO))
        assert {(job.queue, job.route_index) for job in await claim(store, messages, TWO)} == {(TWO, 1)}
    assert drained == 18, "all that the first provider was not given"
    assert await store.check() == []


async def test_a_deployment_at_its_limits_is_given_no_more_while_jobs_wait_there(store: Store) -> None:
    def standing(deployment: Deployment) -> Standing:
        return Standing(wait_ms=900, waiting=128) if deployment.provider == "one" else Standing()

    await store(add_loaded_batch, 6, slice_jobs=2)
    messages = await store(hand_out, plan(standing=standing))
    assert (len(slices_of(messages, ONE)), len(slices_of(messages, TWO))) == (0, 3)


async def test_a_fast_deployment_is_given_about_five_seconds_of_its_work(store: Store) -> None:
    def standing(deployment: Deployment) -> Standing:
        return Standing(per_minute=96)

    await store(add_loaded_batch, 40, slice_jobs=2, routes=["first"])
    assert len(slices_of(await store(hand_out, plan(slice_jobs=2, standing=standing)))) == 4


@pytest.mark.parametrize("reason", sorted(Closed))
async def test_a_closed_deployment_gets_nothing_and_the_other_one_everything(store: Store, reason: Closed) -> None:
    await store(add_loaded_batch, 12, slice_jobs=2)
    messages = await store(hand_out, plan(standing=closed("one", reason=reason)))
    assert (len(slices_of(messages, ONE)), len(slices_of(messages, TWO))) == (0, 6)


async def test_lines_wait_while_every_deployment_of_their_route_is_closed(store: Store) -> None:
    await store(add_loaded_batch, 4, slice_jobs=2)
    assert await store(hand_out, plan(standing=closed("one", "two"))) == []
    assert len(slices_of(await store(hand_out, plan(standing=closed("two"))), ONE)) == 2


async def test_a_busy_model_is_waited_for_and_a_failing_one_is_left_for_its_fallback(store: Store) -> None:
    await store(add_loaded_batch, 4, slice_jobs=2, routes=["chained"])
    full = plan(windows={ONE: 0})
    assert await store(hand_out, full) == [], "its own model has no room just now"
    held = plan(standing=closed("one", reason=Closed.RATE_LIMIT, wait_ms=3_000))
    assert await store(hand_out, held) == [], "its provider asked to wait for a moment"
    failing = await store(hand_out, plan(standing=closed("one")))
    assert len(slices_of(failing, TWO)) == 2
    claimed = await claim(store, failing, TWO)
    assert {(job.route_index, job.moved_for) for job in claimed} == {(1, "overloaded")}
    assert {row.moved_for for row in await store.rows("SELECT moved_for FROM job")} == {"overloaded"}


async def test_a_slice_that_is_handed_out_again_forgets_why_it_was_elsewhere(store: Store) -> None:
    await store(add_loaded_batch, 2, slice_jobs=2)
    (elsewhere,) = slices_of(await store(hand_out, plan(standing=closed("one"))), TWO)
    await store(forget_publishes)
    messages = await store(hand_out, plan())
    assert slices_of(messages, ONE) == [elsewhere]
    assert {job.moved_for for job in await claim(store, messages, ONE)} == {None}


async def test_routes_of_one_batch_do_not_wait_for_each_other(store: Store) -> None:
    await store(add_loaded_batch, 8, slice_jobs=2, routes=["first", "second"])
    messages = await store(hand_out, plan(windows={ONE: 0}))
    assert (len(slices_of(messages, ONE)), len(slices_of(messages, TWO))) == (0, 2)
    rest = await store(hand_out, plan())
    assert (len(slices_of(rest, ONE)), len(slices_of(rest, TWO))) == (2, 0)


async def test_routes_of_one_batch_that_share_a_queue_go_in_the_order_of_their_lines(store: Store) -> None:
    await store(add_loaded_batch, 8, slice_jobs=1, routes=["r", "first"])
    routes = {row.id: row.route for row in await store.rows("SELECT id, route FROM slice")}
    messages = await store(hand_out, plan(standing=closed("two")))
    assert [routes[each] for each in slices_of(messages)] == [routes[each] for each in sorted(routes)]


async def test_a_route_without_room_does_not_hold_up_later_batches_of_its_key(store: Store) -> None:
    for _ in range(40):
        await store(add_loaded_batch, 1, routes=["first"])
    other = await store(add_loaded_batch, 1, routes=["second"])
    assert await batches_of(store, await store(hand_out, plan(windows={ONE: 0}))) == [other]


async def test_a_model_without_a_route_is_handed_out_to_fail_where_it_is_called(store: Store) -> None:
    await store(add_loaded_batch, 2, routes=["gone"])
    assert len(slices_of(await store(hand_out, plan()), ONE)) == 1


async def test_hand_outs_at_the_same_time_do_not_fill_a_deployment_twice(store: Store) -> None:
    await store(add_loaded_batch, 40, slice_jobs=2)
    async with store.second() as other:
        pieces = await asyncio.gather(*(each(hand_out, plan(slice_jobs=2)) for each in [store, other] * 4))
    sent = Counter(slice_id for messages in pieces for slice_id in slices_of(messages))
    assert (len(sent), set(sent.values())) == (4, {1})
    assert [await store(unclaimed, queue) for queue in (ONE, TWO)] == [4, 4]


def _plans_of_a_hand_out(connection: Connection, now_ms: int) -> list[str]:
    """Hand out and look for work; returns how SQLite finds the rows of every statement of that."""
    raw, seen = driver(connection), list[str]()
    raw.set_trace_callback(seen.append)
    hand_out(connection, now_ms, plan(window=3))
    busy_queues(connection, now_ms)
    raw.set_trace_callback(None)
    return [row[3] for each in dict.fromkeys(seen) for row in raw.execute(f"EXPLAIN QUERY PLAN {each}")]


async def test_no_statement_of_a_hand_out_walks_the_backlog(sqlite_url: str) -> None:
    async with open_store(sqlite_url) as store:
        await store(add_loaded_batch, 8, slice_jobs=2, routes=["first", "second"])
        for _ in range(8):
            await store(add_job)
        steps = await store(_plans_of_a_hand_out)
    whole = {step for step in steps if step.startswith("SCAN") and step.split()[1] in ("job", "slice", "batch", "key")}
    bounded = {f"SCAN {table} USING INDEX {table}_published" for table in ("job", "slice")}
    first_row = {f"SCAN {table} USING INDEX {table}_waiting" for table in ("job", "slice")}
    assert whole <= bounded | first_row, "what is published is bounded by the windows; of what waits only the first row"
    for by in ("key_id>?", "key_id=? AND batch_id=?"):
        assert f"SEARCH slice USING INDEX slice_waiting ({by})" in steps
