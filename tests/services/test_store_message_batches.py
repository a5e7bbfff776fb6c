"""Message batches in the store: made with their file, listed apart, lines that fail before they run, deleted."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection

from providers.completion import Endpoint
from providers.failure import ErrorClass
from router.lifecycle import BatchStatus, JobState
from store.batches import BATCH_PURPOSE, BatchRow, NewBatch, NoBatch, list_batches, request_cancel
from store.closing import close_lines, closing_batches
from store.files import NewFile, get_file
from store.idempotency import IdempotencyKey
from store.ids import MASTER_KEY_ID, new_id
from store.keeping import Chore, KeptBatch, let_go
from store.loading import Fault, Line, accept, load_chunk
from store.message_batches import (
    MessageBatchRow,
    create_message_batch,
    delete_message_batch,
    get_message_batch,
    list_message_batches,
)
from store.output import publish_output, read_ended_lines
from store.page import Window
from tests.faults.schedules_rows import DAY_MS, add_batch, files, keep, lines
from tests.services.job_protocol import Store, open_store

OWNERS = (MASTER_KEY_ID,)
FAULT = Fault(ErrorClass.NOT_FOUND, 404, '{"message":"No such model"}')


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


async def made(store: Store, total: int = 3, **changes: Any) -> BatchRow:
    source = NewFile(new_id(), MASTER_KEY_ID, "in.jsonl", BATCH_PURPOSE, 1, None)
    fields: dict[str, Any] = {
        "batch_id": new_id(),
        "key_id": MASTER_KEY_ID,
        "endpoint": Endpoint.MESSAGES,
        "window": "24h",
    }
    rest: dict[str, Any] = {
        "input_file_id": source.file_id,
        "window_ms": DAY_MS,
        "metadata": {},
        "output_expires_after_s": None,
    }
    outcome = await store(create_message_batch, source, NewBatch(**{**fields, **rest, "total": total, **changes}))
    kept = isinstance(outcome, BatchRow) and outcome.input_file_id == source.file_id
    assert (await store(get_file, OWNERS, source.file_id) is not None) is kept
    assert isinstance(outcome, BatchRow), outcome
    return outcome


async def seen(store: Store, batch_id: bytes) -> MessageBatchRow:
    row = await store(get_message_batch, OWNERS, batch_id)
    assert row is not None
    return row


async def load(store: Store, batch_id: bytes, chunk: list[Line]) -> bytes:
    """Accept a batch and write its lines; return the worker that keeps it."""
    worker = new_id()
    await store(keep, Chore.VALIDATE, worker)
    assert await store(accept, batch_id, worker, total=len(chunk), model=None)
    kept = await store(_kept, worker, batch_id)
    assert await store(load_chunk, kept, worker, chunk, 2)
    return worker


def _kept(connection: Connection, now_ms: int, worker: bytes, batch_id: bytes) -> KeptBatch:
    let_go(connection, now_ms, batch_id, worker)
    return keep(connection, now_ms, Chore.LOAD, worker)


def faulty(number: int) -> Line:
    return Line(new_id(), number, f"c{number}", "nope", "one.batch", b"", fault=FAULT)


async def test_each_kind_of_batch_is_listed_apart(store: Store) -> None:
    other = await store(add_batch)
    ours = [(await made(store)).id for _ in range(3)]
    page = await store(list_message_batches, OWNERS, Window(None, 2))
    assert page is not None
    assert ([row.batch.id for row in page.items], page.has_more) == (ours[:0:-1], True)
    before = await store(list_message_batches, OWNERS, Window(ours[0], 2, newest_first=False))
    assert before is not None
    assert [row.batch.id for row in before.items] == ours[1:]
    listed = await store(list_batches, OWNERS, Window())
    assert listed is not None
    assert [row.id for row in listed.items] == [other]
    assert await store(get_message_batch, OWNERS, other) is None
    assert await store(get_message_batch, (new_id(),), ours[0]) is None


async def test_a_batch_that_is_not_made_leaves_no_file(store: Store) -> None:
    key = IdempotencyKey(MASTER_KEY_ID, "r", bytes(32), bytes(32))
    first = await made(store, idempotency=key)
    assert (await made(store, idempotency=key)).id == first.id
    source = NewFile(new_id(), MASTER_KEY_ID, "in.jsonl", BATCH_PURPOSE, 1, None)
    new = NewBatch(new_id(), MASTER_KEY_ID, Endpoint.MESSAGES, source.file_id, "24h", DAY_MS, {}, None, max_open=1)
    assert await store(create_message_batch, source, new) is NoBatch.TOO_MANY_OPEN
    assert await store(get_file, OWNERS, source.file_id) is None


async def test_lines_that_have_failed_already_are_written_as_ended(store: Store) -> None:
    batch = await made(store)
    await load(store, batch.id, [*lines([1]), faulty(2), faulty(3)])
    row = (await seen(store, batch.id)).batch
    assert (row.status, row.total, row.failed) == (BatchStatus.IN_PROGRESS, 3, 2)
    ended = [line for line in await store(read_ended_lines, batch.id, 0, 9) if line.state == JobState.FAILED]
    assert [(line.number, line.error_status, line.error_json) for line in ended] == [
        (2, 404, FAULT.error_json),
        (3, 404, FAULT.error_json),
    ]


async def test_a_batch_all_of_whose_lines_have_failed_waits_for_its_files(store: Store) -> None:
    batch = await made(store)
    await load(store, batch.id, [faulty(number) for number in (1, 2, 3)])
    assert (await seen(store, batch.id)).batch.status is BatchStatus.FINALIZING


async def test_cancelled_lines_are_told_from_those_that_failed(store: Store) -> None:
    batch = await made(store)
    worker = await load(store, batch.id, [*lines([1, 2]), faulty(3)])
    await store(request_cancel, OWNERS, batch.id)
    for closing in await store(closing_batches, 0):
        while await store(close_lines, closing):
            pass
    row = await seen(store, batch.id)
    assert (row.batch.failed, row.cancelled, row.expired, row.archived_at_ms) == (3, 2, 0, None)
    assert await store(delete_message_batch, OWNERS, batch.id) is None
    await store(_end, worker, batch.id)
    written = (await seen(store, batch.id)).batch
    assert written.status is BatchStatus.CANCELLED
    gone = await store(delete_message_batch, OWNERS, batch.id)
    assert gone == [written.input_file_id, written.output_file_id]
    assert await store(get_message_batch, OWNERS, batch.id) is None
    page = await store(list_message_batches, OWNERS, Window())
    assert page is not None
    assert page.items == ()


def _end(connection: Connection, now_ms: int, worker: bytes, batch_id: bytes) -> None:
    let_go(connection, now_ms, batch_id, worker)
    kept = keep(connection, now_ms, Chore.WRITE, worker)
    assert publish_output(connection, now_ms, kept, worker, files(10))


async def test_a_batch_whose_files_are_gone_is_archived(store: Store) -> None:
    batch = await made(store)
    worker = await load(store, batch.id, [faulty(1)])
    await store(_end, worker, batch.id)
    assert (await seen(store, batch.id)).archived_at_ms is None
    ends_at_ms = store.now_ms + DAY_MS
    store.now_ms += 2 * DAY_MS
    assert (await seen(store, batch.id)).archived_at_ms == ends_at_ms
