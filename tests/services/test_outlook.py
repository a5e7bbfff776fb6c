"""The outlook: a sweep sees work of every kind, and a worker at rest does nothing but look for it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection, Select, select, update

from providers.simulator.process import SimulatorProcess
from router.budget import PauseReason
from router.webhook_url import TargetRules, webhook_url
from store.batches import request_cancel
from store.claim import claim_slice
from store.compiled import driver
from store.database import ConnectionUse, Database, Query
from store.epoch import enter_epoch
from store.events import Ended, record
from store.finish import finish
from store.handout import hand_out
from store.ids import MASTER_KEY_ID, new_id
from store.keeping import Chore, let_go
from store.loading import accept, load_chunk
from store.outlook import look_out
from store.tables import batch, delivery, job
from store.webhooks import NewWebhook, insert_endpoint
from tests.faults.schedules_plans import plan
from tests.faults.schedules_rows import (
    DAY_MS,
    LEASE_MS,
    add_batch,
    add_job,
    add_loaded_batch,
    answered,
    claimant,
    keep,
    lines,
)
from tests.patience import PATIENCE_S
from tests.services.handed_out import slices_of
from tests.services.job_protocol import Store, open_store
from tests.services.worker_world import World, until, world

Work = Callable[[Store], AsyncIterator[None]]
"""Brings a store to where a sweep has nothing to do, gives that back, and then makes work for one."""
OF_OPEN_THINGS = {
    "attempt_running", "batch_open", "delivery_due", "job_deadline", "job_leading", "job_published", "job_waiting",
    "slice_published", "slice_queued", "slice_waiting",
}  # fmt: skip
"""Indices of rows that have not ended."""
CHORES = ("keep_one", "end_twins", "any_due")
STEPS = ("rescue", "expire_jobs", "begin_expiry", "closing_batches", "may_go_on", "busy_queues", "hand_out")
SWEEPS = 8
"""In this many there is one that looks for what is to be deleted, too."""
T = TypeVar("T")
P = ParamSpec("P")
RULES = TargetRules(allow_private=True)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


async def a_waiting_job(store: Store) -> AsyncIterator[None]:
    yield
    await store(add_job)


async def a_published_job(store: Store) -> AsyncIterator[None]:
    job_id = await store(add_job)
    await store.claim_one(job_id)
    yield
    await store(add_job)
    assert await store(hand_out, plan("one"))
    assert await store.rows("SELECT id FROM job WHERE state = 'queued' AND published_at_ms IS NULL") == []


async def waiting_lines(store: Store) -> AsyncIterator[None]:
    yield
    await store(add_loaded_batch, 3)


async def published_lines(store: Store) -> AsyncIterator[None]:
    yield
    await store(add_loaded_batch, 3)
    assert await store(hand_out, plan())


async def a_dead_worker(store: Store) -> AsyncIterator[None]:
    await store.claim_one(await store(add_job))
    yield
    store.now_ms += LEASE_MS + 1


async def a_late_job(store: Store) -> AsyncIterator[None]:
    job_id = await store(add_job, window_ms=1_000)
    await store.claim(new_id(), job_id, lease_ms=DAY_MS)
    yield
    store.now_ms += 1_000


async def _running_batch(store: Store, total: int = 3) -> bytes:
    """A batch all of whose lines are being called."""
    batch_id = await store(add_loaded_batch, total)
    for slice_id in slices_of(await store(hand_out, plan())):
        await store(claim_slice, claimant(new_id(), 2 * DAY_MS), slice_id)
    return batch_id


async def a_late_batch(store: Store) -> AsyncIterator[None]:
    await _running_batch(store)
    yield
    store.now_ms += DAY_MS


async def a_closing_batch(store: Store) -> AsyncIterator[None]:
    batch_id = await _running_batch(store)
    yield
    await store(request_cancel, (MASTER_KEY_ID,), batch_id)


async def a_batch_without_money(store: Store) -> AsyncIterator[None]:
    batch_id = await _running_batch(store)
    await store(_pause, batch_id, PauseReason.ASKED)
    yield
    await store(_pause, batch_id, PauseReason.BUDGET)


async def a_batch_to_check(store: Store) -> AsyncIterator[None]:
    yield
    await store(add_batch)


async def a_dead_keeper(store: Store) -> AsyncIterator[None]:
    await store(add_batch)
    await store(keep, Chore.VALIDATE, new_id())
    yield
    store.now_ms += LEASE_MS + 1


async def a_batch_to_load(store: Store) -> AsyncIterator[None]:
    batch_id, worker_id = await store(add_batch), new_id()
    await store(keep, Chore.VALIDATE, worker_id)
    assert await store(accept, batch_id, worker_id, total=1, model="r")
    yield
    await store(let_go, batch_id, worker_id)


async def a_batch_to_write(store: Store) -> AsyncIterator[None]:
    await store(add_loaded_batch, 1)
    (slice_id,) = slices_of(await store(hand_out, plan()))
    claimed = await store(claim_slice, claimant(new_id()), slice_id)
    yield
    await store(finish, [answered(each) for each in claimed])


async def an_ended_leader(store: Store) -> AsyncIterator[None]:
    batch_id, worker_id = await store(add_batch), new_id()
    await store(keep, Chore.VALIDATE, worker_id)
    await store(accept, batch_id, worker_id, total=3, model="r")
    await store(let_go, batch_id, worker_id)
    kept = await store(keep, Chore.LOAD, worker_id)
    assert await store(load_chunk, kept, worker_id, lines((1, 2), leaders={2: 1}), 64)  # the third is being loaded
    (slice_id,) = slices_of(await store(hand_out, plan()))
    claimed = await store(claim_slice, claimant(new_id()), slice_id)
    yield
    await store(finish, [answered(each) for each in claimed])


async def a_delivery(store: Store) -> AsyncIterator[None]:
    yield
    await store(_tell)


async def a_delivery_again(store: Store) -> AsyncIterator[None]:
    await store(_tell)
    await store(_put_off, store.now_ms + 300_000)
    yield
    store.now_ms += 300_000


WORK: tuple[Work, ...] = (
    a_waiting_job, a_published_job, waiting_lines, published_lines, a_dead_worker, a_late_job, a_late_batch,
    a_closing_batch, a_batch_without_money, a_batch_to_check, a_dead_keeper, a_batch_to_load, a_batch_to_write,
    an_ended_leader, a_delivery, a_delivery_again,
)  # fmt: skip


def _pause(connection: Connection, _now_ms: int, batch_id: bytes, reason: PauseReason) -> None:
    connection.execute(update(batch).where(batch.c.id == batch_id).values(paused_for=reason))


def _tell(connection: Connection, now_ms: int) -> None:
    """Record an end that somebody wants to hear of, at an address where nobody listens."""
    job_id = new_id()
    insert_endpoint(connection, now_ms, MASTER_KEY_ID, job_id, NewWebhook(webhook_url("http://127.0.0.1/hook", RULES)))
    record(connection, now_ms, [Ended(MASTER_KEY_ID, job_id, "job.completed")])


def _put_off(connection: Connection, _now_ms: int, next_at_ms: int) -> None:
    connection.execute(update(delivery).values(next_at_ms=next_at_ms))


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
async def test_work_of_every_kind_is_seen_and_a_system_at_rest_has_none(store: Store, work: Work) -> None:
    steps = work(store)
    await anext(steps)
    assert not (await store(look_out)).is_due
    await anext(steps, None)
    assert (await store(look_out)).is_due


async def test_a_look_tells_the_epoch_as_well(store: Store) -> None:
    assert (await store(look_out)).epoch is None
    await store(enter_epoch, "one life")
    assert (await store(look_out)).epoch == "one life"


def _steps_of_a_look(connection: Connection, now_ms: int) -> list[str]:
    """How SQLite finds the rows of a look."""
    raw, seen = driver(connection), list[str]()
    raw.set_trace_callback(seen.append)
    look_out(connection, now_ms)
    raw.set_trace_callback(None)
    (statement,) = seen
    return [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}")]


async def test_no_look_walks_over_what_has_ended(sqlite_url: str) -> None:
    async with open_store(sqlite_url) as store:
        steps = await store(_steps_of_a_look)
    found = [each.split() for each in steps if each.startswith(("SCAN ", "SEARCH ")) and "CONSTANT" not in each]
    assert {words[1] for words in found} == {"job", "slice", "attempt", "batch", "delivery", "fact"}
    used = {words[words.index("INDEX") + 1] for words in found if words[1] != "fact"}
    assert used <= OF_OPEN_THINGS


@dataclass
class Counting:
    """A database that counts what it is asked."""

    inner: Database
    asked: Counter[str] = field(default_factory=Counter)

    async def write(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.asked[query.__name__] += 1
        return await self.inner.write(query, *args, **kwargs)

    async def read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        self.asked[query.__name__] += 1
        return await self.inner.read(query, *args, **kwargs)

    async def wipe_log(self) -> bool:
        return await self.inner.wipe_log()

    def use(self) -> ConnectionUse:
        return self.inner.use()

    async def close(self) -> None:
        await self.inner.close()


async def test_a_worker_at_rest_looks_once_a_sweep_and_takes_no_step(
    sqlite: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    counting: list[Counting] = []

    def seen_as(database: Database) -> Database:
        counting.append(Counting(database))
        return counting[0]

    async with world(sqlite, redis_url, simulator, seen_as=seen_as):
        asked = counting[0].asked
        await until(lambda: asked["note_sweep"] > 0)
        assert min(asked[each] for each in CHORES) > 0, "each looks once at the start"
        asked.clear()
        await until(lambda: asked["note_sweep"] >= SWEEPS)
        assert abs(asked["note_sweep"] - asked["look_out"]) <= 1  # a sweep may be under way at either end
        assert not asked.keys() & {*CHORES, *STEPS}


async def test_a_worker_at_rest_finds_what_nobody_told_it_of(
    either: str, redis_url: str, simulator: SimulatorProcess
) -> None:
    """Each by the next sweep: a job, a line that others wait for, a delivery, a batch."""
    async with world(either, redis_url, simulator) as here:
        row = await here.ended(await here.submit(None, stream=False))
        assert row.state == "completed"
        await here.database.write(_lead, row.id)
        await _until_it_is(here, select(job.c.leads), 0)
        await here.database.write(_tell)
        await _until_it_is(here, select(delivery.c.failures), 1)  # no webhook may go to this host
        await here.database.write(add_batch)
        await _until_it_is(here, select(batch.c.status), "failed")  # its file has no bytes


def _lead(connection: Connection, _now_ms: int, job_id: bytes) -> None:
    connection.execute(update(job).where(job.c.id == job_id).values(leads=1))


async def _until_it_is(here: World, query: Select[Any], expected: object) -> None:
    """Wait until the one row of a query is so."""
    async with asyncio.timeout(PATIENCE_S):
        while await here.database.read(_scalar, query) != expected:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _scalar(connection: Connection, _now_ms: int, query: Select[Any]) -> object:
    return connection.execute(query).scalar_one()
