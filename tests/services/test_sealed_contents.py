"""Sealed files: whole for whoever has the key, unreadable on the disk, and no piece in another's place."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store.contents import PIECE_BYTES, DatabaseContents, FileContents, LocalContents
from store.database import Database, open_database
from store.ids import new_id
from store.sealing import PLAIN, SEALED_BYTES, Damaged, KeyMissing, Sealer, SealingKey

SEALER = Sealer([SealingKey(bytes(range(32)))])
STORED_BYTES = PIECE_BYTES + SEALED_BYTES


@pytest.fixture(params=["local", "database"])
async def places(
    request: pytest.FixtureRequest, sqlite: str, tmp_path: Path
) -> AsyncIterator[dict[bool, FileContents]]:
    """The same place for files, with the key (True) and without."""
    database: Database = open_database(sqlite)
    if request.param == "local":
        yield {sealed: LocalContents(tmp_path / "files", SEALER if sealed else PLAIN) for sealed in (True, False)}
    else:
        yield {sealed: DatabaseContents(database, SEALER if sealed else PLAIN) for sealed in (True, False)}
    await database.close()


async def write(contents: FileContents, data: bytes) -> bytes:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 300_000):
            yield data[start : start + 300_000]

    file_id = new_id()
    assert await contents.write(file_id, chunks(), limit_bytes=len(data)) == len(data)
    return file_id


async def read(contents: FileContents, file_id: bytes, chunk_bytes: int = PIECE_BYTES) -> bytes:
    pieces = [piece async for piece in contents.read(file_id, chunk_bytes=chunk_bytes)]
    assert max(map(len, pieces), default=0) <= chunk_bytes
    return b"".join(pieces)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 7])
async def test_what_is_written_is_read_with_the_key_and_not_without(
    places: dict[bool, FileContents], size: int
) -> None:
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    file_id = await write(places[True], data)
    assert await read(places[True], file_id) == data
    assert await read(places[True], file_id, 100_000) == data
    if size:
        with pytest.raises(KeyMissing):
            await read(places[False], file_id)
    assert await places[True].sealed_with(SEALER.fingerprint or b"") is bool(size)


async def test_files_from_before_the_key_stay_readable(places: dict[bool, FileContents]) -> None:
    file_id = await write(places[False], b"plain" * PIECE_BYTES)
    assert await read(places[True], file_id, 100_000) == b"plain" * PIECE_BYTES
    assert not await places[True].sealed_with(SEALER.fingerprint or b"")


async def test_on_the_disk_there_is_nothing_of_the_content(tmp_path: Path) -> None:
    contents = LocalContents(tmp_path, SEALER)
    file_id = await write(contents, b"canary" * 400_000)
    stored = (tmp_path / file_id.hex()).read_bytes()
    assert b"canary" not in stored
    assert len(stored) == 2_400_000 + 3 * SEALED_BYTES


async def test_pieces_in_another_order_of_another_file_or_cut_are_refused(tmp_path: Path) -> None:
    contents = LocalContents(tmp_path, SEALER)
    file_id, other_id = await write(contents, b"a" * 2 * PIECE_BYTES), await write(contents, b"b" * PIECE_BYTES)
    path, other = tmp_path / file_id.hex(), tmp_path / other_id.hex()
    first, second = path.read_bytes()[:STORED_BYTES], path.read_bytes()[STORED_BYTES:]
    for changed in (second + first, other.read_bytes() + second, first + second[:-1], first[:30]):
        path.write_bytes(changed)
        with pytest.raises(Damaged):
            await read(contents, file_id)
