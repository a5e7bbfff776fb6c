"""What is remembered of files and batches, asked directly on both databases."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from router.lifecycle import BATCH_ACTIVE, BATCH_TERMINAL, BatchStatus
from store.batches import BatchRow, NewBatch, NoBatch, create_batch, request_cancel
from store.database import Database, open_database
from store.files import (
    FileRow,
    NewFile,
    contents_removed,
    delete_file,
    file_contents_to_remove,
    get_file,
    insert_file,
    list_files,
    may_remove_contents,
)
from store.ids import MASTER_KEY_ID, new_id
from store.page import Window
from store.schema import migrate
from store.tables import batch, file

KEY = MASTER_KEY_ID
DAY_MS = 86_400_000


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(migrate, database_url)
    opened = open_database(database_url)
    yield opened
    await opened.close()


async def add_file(database: Database, *, expires_after_s: int | None = None, size_bytes: int = 5) -> bytes:
    file_id = new_id()
    await database.write(insert_file, NewFile(file_id, KEY, "name", "batch", size_bytes, expires_after_s))
    return file_id


def reading(file_id: bytes) -> NewBatch:
    return NewBatch(new_id(), KEY, "/v1/embeddings", file_id, "24h", DAY_MS, {}, None)


async def set_batches(database: Database, status: BatchStatus) -> None:
    await database.write(lambda connection, _now: connection.execute(batch.update().values(status=status)) and None)


async def test_contents_go_once_nobody_sees_or_reads_them(database: Database) -> None:
    seen, deleted, read = [await add_file(database) for _ in range(3)]
    assert isinstance(await database.write(create_batch, reading(read)), BatchRow)
    for file_id in (deleted, read):
        assert await database.write(delete_file, (KEY,), file_id)
        assert not await database.write(delete_file, (KEY,), file_id)
    assert await database.read(file_contents_to_remove) == [deleted]
    for status in sorted(BATCH_ACTIVE):
        await set_batches(database, status)
        assert not await database.read(may_remove_contents, read)
    for status in sorted(BATCH_TERMINAL):
        await set_batches(database, status)
        assert await database.read(file_contents_to_remove) == [deleted, read]
    await database.write(contents_removed, [seen, deleted, read])
    assert await database.read(file_contents_to_remove) == []
    found = await database.read(get_file, (KEY,), seen)
    assert isinstance(found, FileRow)
    assert (found.filename, found.size_bytes) == ("name", 5)


async def test_the_row_of_a_gone_file_stays_a_day_as_a_cursor(database: Database) -> None:
    older, cursor = await add_file(database), await add_file(database, size_bytes=0)
    await database.write(delete_file, (KEY,), cursor)
    await database.write(contents_removed, [cursor])
    page = await database.read(list_files, (KEY,), Window(after=cursor))
    assert page is not None
    assert [row.id for row in page.items] == [older]
    assert await database.read(file_contents_to_remove) == []

    def age(connection, now_ms):
        connection.execute(file.update().where(file.c.id == cursor).values(deleted_at_ms=now_ms - DAY_MS))

    await database.write(age)
    assert await database.read(file_contents_to_remove) == [cursor]
    await database.write(contents_removed, [cursor])
    assert await database.read(file_contents_to_remove) == []
    assert await database.read(list_files, (KEY,), Window(after=cursor)) is None


async def test_an_expired_file_is_gone_for_its_owner_and_for_new_batches(database: Database) -> None:
    file_id = await add_file(database, expires_after_s=0)
    assert await database.read(get_file, (KEY,), file_id) is None
    assert await database.write(create_batch, reading(file_id)) is NoBatch.NO_FILE
    assert await database.read(file_contents_to_remove) == [file_id]


async def test_a_batch_and_the_deletion_of_its_input_agree_on_who_was_first(database: Database) -> None:
    """Whatever the order, a batch that was made can read its file."""

    def delete_and_look(connection, now_ms, file_id):
        assert delete_file(connection, now_ms, (KEY,), file_id)
        return may_remove_contents(connection, now_ms, file_id)

    made = 0
    for _ in range(20):
        file_id = await add_file(database)
        outcome, removable = await asyncio.gather(
            database.write(create_batch, reading(file_id)), database.write(delete_and_look, file_id)
        )
        assert isinstance(outcome, BatchRow) != removable
        made += isinstance(outcome, BatchRow)
    assert made  # the first order happens at least


async def test_a_cancel_moves_only_what_it_may(database: Database) -> None:
    new = reading(await add_file(database))
    await database.write(create_batch, new)
    await database.write(request_cancel, (KEY,), new.batch_id)

    def row(connection, _now):
        return connection.execute(batch.select()).one()

    found = await database.read(row)
    assert (found.status, found.closing) == ("cancelling", "cancelled")
    assert await database.write(request_cancel, (new_id(),), new.batch_id) is None
    await set_batches(database, BatchStatus.FINALIZING)
    await database.write(request_cancel, (KEY,), new.batch_id)
    assert (await database.read(row)).status == "finalizing"
