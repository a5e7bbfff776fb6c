"""Loading: while a chunk is written the next one is read; one that fails or is refused ends the load."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update

import workers.loader
from store.contents import ContentMissing
from store.database import Database, Query, StoreUnavailable
from store.ids import new_id
from store.keeping import Chore, keep_one
from store.tables import batch
from tests.faults.schedules_rows import LEASE_MS
from tests.services.batch_world import BatchWorld, batch_world, chat_line

LINES = 23
CHUNK_LINES = 5
Act = Callable[[int, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Stands in for the write of a chunk: of its number, from 1, and of what writes it."""


class Interposed:
    """A database beside whose writes of chunks something happens."""

    def __init__(self, database: Database, act: Act) -> None:
        self._database = database
        self._act = act
        self.chunks = 0
        self.read = database.read

    async def write(self, query: Query[Any, Any], *args: Any, **kwargs: Any) -> Any:
        if query.__name__ != "load_chunk":
            return await self._database.write(query, *args, **kwargs)
        self.chunks += 1
        return await self._act(self.chunks, lambda: self._database.write(query, *args, **kwargs))


@pytest.fixture
async def world(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BatchWorld]:
    monkeypatch.setattr(workers.loader, "_CHUNK_LINES", CHUNK_LINES)
    async with batch_world(database_url, tmp_path) as world:
        await world.make([chat_line(f"c{number}") for number in range(1, LINES + 1)])
        yield world


async def load(world: BatchWorld, act: Act) -> int:
    """Check the batch and load it; returns how many chunks were to be written."""
    database = world.database
    between = Interposed(database, act)
    world.database = between  # type: ignore[assignment]
    try:
        await world.load()
    finally:
        world.database = database
    return between.chunks


async def numbers(world: BatchWorld) -> list[int]:
    return [row.line_no for row in await world.rows("SELECT line_no FROM job ORDER BY id")]


async def load_the_rest(world: BatchWorld) -> None:
    """Go on as the next keeper does, when the lease has run out."""
    await world(_set_keeper, None)
    await world.load()
    assert await numbers(world) == list(range(1, LINES + 1))
    assert [row.custom_id for row in await world.rows("SELECT custom_id FROM job ORDER BY line_no")] == [
        f"c{number}" for number in range(1, LINES + 1)
    ]
    assert await world.check() == []


async def test_chunks_are_written_one_after_the_other(world: BatchWorld) -> None:
    under_way, seen = 0, []

    async def watch(chunk: int, write: Callable[[], Awaitable[Any]]) -> Any:
        nonlocal under_way
        under_way += 1
        seen.append((chunk, under_way, len(await numbers(world))))
        written = await write()
        under_way -= 1
        return written

    assert await load(world, watch) == 5
    assert seen == [(chunk, 1, (chunk - 1) * CHUNK_LINES) for chunk in range(1, 6)]
    assert await world.check() == []


async def test_nothing_is_written_after_a_chunk_that_was_refused(world: BatchWorld) -> None:
    async def take_away(chunk: int, write: Callable[[], Awaitable[Any]]) -> Any:
        if chunk == 2:
            await world(_set_keeper, new_id())
        return await write()

    assert await load(world, take_away) == 2
    assert await numbers(world) == [1, 2, 3, 4, 5]
    await load_the_rest(world)


@pytest.mark.parametrize("is_committed", [False, True])
async def test_a_chunk_that_fails_ends_the_load_and_the_next_one_goes_on(
    world: BatchWorld, *, is_committed: bool
) -> None:
    async def fail(chunk: int, write: Callable[[], Awaitable[Any]]) -> Any:
        if chunk == 3:
            if is_committed:
                await write()
            raise StoreUnavailable("away")
        return await write()

    with pytest.raises(StoreUnavailable, match="away"):
        await load(world, fail)
    assert await numbers(world) == list(range(1, 16 if is_committed else 11))
    await load_the_rest(world)


async def test_a_load_that_is_cancelled_ends_its_write(world: BatchWorld) -> None:
    stuck, cut = asyncio.Event(), asyncio.Event()

    async def stick(chunk: int, write: Callable[[], Awaitable[Any]]) -> Any:
        if chunk == 2:
            stuck.set()
            try:
                await asyncio.Event().wait()
            finally:
                cut.set()
        return await write()

    loading = asyncio.create_task(load(world, stick))
    await stuck.wait()
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert cut.is_set()
    assert await numbers(world) == [1, 2, 3, 4, 5]
    await load_the_rest(world)


async def test_what_was_read_before_a_file_was_lost_is_loaded(world: BatchWorld) -> None:
    async def plainly(_chunk: int, write: Callable[[], Awaitable[Any]]) -> Any:
        return await write()

    kept = await world(keep_one, Chore.VALIDATE, world.worker_id, LEASE_MS)
    assert kept is not None
    await world.loader().validate(kept)
    await world(_set_keeper, None)
    world.contents = Torn(world.contents)  # type: ignore[assignment]
    await load(world, plainly)
    (row,) = await world.rows("SELECT total, loaded FROM batch")
    assert row.total == row.loaded == len(await numbers(world)) == 2 * CHUNK_LINES
    assert await world.check() == []


class Torn:
    """Contents that end in an error, after a little more than two chunks."""

    def __init__(self, contents: Any) -> None:
        self._contents = contents

    async def read(self, file_id: bytes, *, chunk_bytes: int) -> AsyncIterator[bytes]:
        whole = b"".join([piece async for piece in self._contents.read(file_id)])
        yield b"".join(whole.splitlines(keepends=True)[: 2 * CHUNK_LINES + 1])
        raise ContentMissing


def _set_keeper(connection: Connection, _now_ms: int, worker_id: bytes | None) -> None:
    until_ms = 0 if worker_id is None else batch.c.keeper_until_ms
    connection.execute(update(batch).values(keeper=worker_id, keeper_until_ms=until_ms))
