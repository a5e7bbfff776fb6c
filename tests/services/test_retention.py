"""How long bodies and files are kept: by the server's time, by a key's own, and as a request says."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, text, update

from router.lifecycle import BatchStatus, JobState
from store.database import Database, open_database
from store.files import NewFile, insert_file
from store.ids import new_id
from store.retention import Bodies, answered, keep_bodies, purge_bodies, purge_ephemeral
from store.schema import migrate
from store.tables import batch, job, key, payload, result

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
KEEP_MS = 30 * DAY_MS
ERROR = '{"message":"we refuse to speak of canaries"}'


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(migrate, database_url)
    database = open_database(database_url)
    yield database
    await database.close()


async def do(database: Database, statement: Any) -> None:
    await database.write(lambda connection, _now: connection.execute(statement) and None)


async def make_key(database: Database, keep_ms: int | None) -> bytes:
    key_id = new_id()
    await do(database, insert(key).values(id=key_id, name="k", created_at_ms=0, keep_content_ms=keep_ms))
    return key_id


async def ended_job(database: Database, key_id: bytes, ago_ms: int, **changes: Any) -> bytes:
    """Make a job that ended a while ago, with its bodies."""
    row: dict[str, Any] = {
        "id": new_id(), "key_id": key_id, "endpoint": "/v1/chat/completions", "state": JobState.FAILED, "route": "m",
        "route_index": 0, "priority": 0, "created_at_ms": 0, "not_before_ms": 0, "deadline_at_ms": 0,
        "error_json": ERROR,
    }  # fmt: skip

    def make(connection: Connection, now_ms: int) -> None:
        connection.execute(insert(job).values({**row, "finished_at_ms": now_ms - ago_ms, **changes}))
        connection.execute(insert(payload).values(job_id=row["id"], body=b"{}"))
        connection.execute(insert(result).values(job_id=row["id"], attempt_n=1, body=b"{}"))

    await database.write(make)
    return bytes(row["id"])


async def ended_batch(database: Database, key_id: bytes, ago_ms: int, lines: int = 3) -> list[bytes]:
    """Make a batch that completed a while ago, an hour after it was made; returns the jobs of its lines."""
    batch_id = new_id()

    def make(connection: Connection, now_ms: int) -> None:
        at_ms = now_ms - ago_ms
        connection.execute(
            insert(batch).values(
                id=batch_id, key_id=key_id, endpoint="e", input_file_id=new_id(), window="24h", expires_at_ms=0,
                status=BatchStatus.COMPLETED, created_at_ms=at_ms - HOUR_MS, completed_at_ms=at_ms,
            )
        )  # fmt: skip

    await database.write(make)
    return [
        await ended_job(database, key_id, ago_ms, batch_id=batch_id, line_no=number) for number in range(1, lines + 1)
    ]


async def kept(database: Database) -> set[bytes]:
    """The jobs that have both bodies, after a look that none has one of them."""

    def look(connection: Connection, _now_ms: int) -> set[bytes]:
        found = [set(connection.execute(select(table.c.job_id)).scalars()) for table in (payload, result)]
        assert found[0] == found[1]
        said = set(connection.execute(select(job.c.id).where(job.c.error_json.is_not(None))).scalars())
        assert said == found[0]
        return found[0]

    return await database.read(look)


async def purge(database: Database) -> None:
    """Do what sweeps do until there is nothing left to do."""
    place = None
    while (place := await database.write(purge_bodies, KEEP_MS, place)) is not None:
        pass
    while await database.write(purge_ephemeral, KEEP_MS):
        pass


async def test_each_keys_own_time_holds_and_the_servers_for_all_others(database: Database) -> None:
    short, long, plain = [await make_key(database, ms) for ms in (HOUR_MS, 90 * DAY_MS, None)]
    unknown = new_id()  # a key whose row is gone
    jobs = {
        (name, ago_ms): await ended_job(database, key_id, ago_ms)
        for name, key_id in (("short", short), ("long", long), ("plain", plain), ("unknown", unknown))
        for ago_ms in (HOUR_MS // 2, 2 * HOUR_MS, 31 * DAY_MS, 91 * DAY_MS)
    }
    await purge(database)
    left = await kept(database)
    assert {name for name, job_id in jobs.items() if job_id in left} == {
        ("short", HOUR_MS // 2),
        ("long", HOUR_MS // 2), ("long", 2 * HOUR_MS), ("long", 31 * DAY_MS),
        ("plain", HOUR_MS // 2), ("plain", 2 * HOUR_MS),
        ("unknown", HOUR_MS // 2), ("unknown", 2 * HOUR_MS),
    }  # fmt: skip


async def test_batches_go_by_their_keys_time_too(database: Database) -> None:
    short, long, plain = [await make_key(database, ms) for ms in (HOUR_MS, 90 * DAY_MS, None)]
    fresh = await ended_batch(database, short, HOUR_MS // 2)
    await ended_batch(database, short, 2 * HOUR_MS, lines=1_001)
    kept_long = await ended_batch(database, long, 31 * DAY_MS)
    await ended_batch(database, long, 91 * DAY_MS)
    await ended_batch(database, plain, 31 * DAY_MS)
    kept_plain = await ended_batch(database, plain, 2 * HOUR_MS)
    await purge(database)
    assert await kept(database) == {*fresh, *kept_long, *kept_plain}
    assert await database.write(purge_bodies, KEEP_MS) is None


async def test_a_running_batch_keeps_its_bodies(database: Database) -> None:
    lines = await ended_batch(database, await make_key(database, HOUR_MS), 2 * HOUR_MS)
    await do(database, update(batch).values(status=BatchStatus.FINALIZING, completed_at_ms=None))
    await purge(database)
    assert await kept(database) == set(lines)


async def test_many_keys_share_the_steps_of_a_sweep(database: Database) -> None:
    for _ in range(60):
        await ended_job(database, await make_key(database, HOUR_MS), 2 * HOUR_MS)
    first = await database.write(purge_ephemeral, KEEP_MS)
    second = await database.write(purge_ephemeral, KEEP_MS)
    assert (first, second, await kept(database)) == (50, 10, set())


async def test_what_is_not_to_be_stored_is_kept_until_it_was_fetched_or_a_day(database: Database) -> None:
    key_id, bodies = await make_key(database, None), {"ephemeral": int(Bodies.UNTIL_FETCHED)}
    old = await ended_job(database, key_id, DAY_MS + HOUR_MS, **bodies)
    fetched, waiting = [await ended_job(database, key_id, DAY_MS - HOUR_MS, error_json=None, **bodies) for _ in "ab"]
    await database.write(answered, [fetched])
    await purge(database)
    rows = await database.read(lambda c, _now: c.execute(select(payload.c.job_id)).scalars().all())
    assert (set(rows), old in rows) == ({waiting}, False)


async def test_a_caller_that_takes_the_job_instead_decides_how_long_it_is_kept(database: Database) -> None:
    key_id = await make_key(database, None)
    jobs = {kind: await ended_job(database, key_id, 0, ephemeral=int(Bodies.UNTIL_ANSWERED)) for kind in (0, 3)}
    for kind, job_id in jobs.items():
        await database.write(keep_bodies, job_id, Bodies(kind))
    rows = await database.read(lambda c, _now: c.execute(select(job.c.id, job.c.ephemeral)).all())
    assert {row.id: row.ephemeral for row in rows} == {job_id: kind for kind, job_id in jobs.items()}


@pytest.mark.parametrize(
    ("own_ms", "asked_s", "keep_ms", "expected_ms"),
    [
        (None, None, None, None),
        (None, None, KEEP_MS, KEEP_MS),
        (None, 3_600, KEEP_MS, HOUR_MS),
        (HOUR_MS, None, KEEP_MS, HOUR_MS),
        (HOUR_MS, None, None, HOUR_MS),
        (HOUR_MS, 86_400, KEEP_MS, HOUR_MS),
        (90 * DAY_MS, None, KEEP_MS, 90 * DAY_MS),
        (90 * DAY_MS, 3_600, KEEP_MS, HOUR_MS),
    ],
)
async def test_a_file_expires_as_asked_but_never_later_than_its_keys_time(
    database: Database, own_ms: int | None, asked_s: int | None, keep_ms: int | None, expected_ms: int | None
) -> None:
    key_id = await make_key(database, own_ms)
    row = await database.write(insert_file, NewFile(new_id(), key_id, "f", "batch", 1, asked_s, keep_ms=keep_ms))
    found = None if row.expires_at_ms is None else row.expires_at_ms - row.created_at_ms
    assert found == expected_ms


async def test_a_sweep_looks_at_old_rows_by_indices_only(sqlite_url: str) -> None:
    """What is due is found by a few probes a key, however many jobs and batches there are."""
    await asyncio.to_thread(migrate, sqlite_url)
    database = open_database(sqlite_url)
    key_id = await make_key(database, HOUR_MS)
    for kind in range(4):
        await ended_job(database, key_id, 2 * KEEP_MS, ephemeral=kind)
    await ended_batch(database, key_id, 2 * KEEP_MS)

    def plans(connection: Connection, now_ms: int) -> list[str]:
        asked: list[tuple[str, Any]] = []
        note = event.listens_for(connection, "before_cursor_execute")
        note(lambda _c, _cursor, sql, values, *_rest: asked.append((sql, values)))
        purge_bodies(connection, now_ms, KEEP_MS)
        purge_ephemeral(connection, now_ms, KEEP_MS)
        selects = [(sql, values) for sql, values in asked if sql.startswith(("SELECT", "WITH"))]
        found = []
        for sql, values in selects:
            found += [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
        return found

    steps = await database.write(plans)
    await database.close()
    assert len(steps) > 8
    assert {step for step in steps if step.startswith("SCAN")} == {
        "SCAN CONSTANT ROW", "SCAN found", "SCAN batch USING INDEX batch_bodies"  # of the last only the first row
    }  # fmt: skip
    assert any("job_kept" in step for step in steps)
    assert any("job_bodies" in step for step in steps)
    assert any("batch_bodies" in step for step in steps)


async def test_deleted_bodies_are_in_no_byte_of_the_database(sqlite_url: str) -> None:
    await asyncio.to_thread(migrate, sqlite_url)
    database = open_database(sqlite_url)
    key_id = await make_key(database, None)
    jobs = [await ended_job(database, key_id, 31 * DAY_MS) for _ in range(3)]
    for job_id, size in zip(jobs, (10, 1_000, 100_000), strict=True):
        await do(database, update(payload).where(payload.c.job_id == job_id).values(body=b"canary-body-" * size))
    files = [sqlite_url.removeprefix("sqlite:///") + suffix for suffix in ("", "-wal")]
    assert any(b"canary-body-" in _bytes_of(path) for path in files)
    await purge(database)
    reader = open_database(sqlite_url)
    await reader.read(lambda c, _now: c.execute(text("SELECT 1")) and None)
    while not await database.wipe_log():
        pass
    assert not any(b"canary-body-" in _bytes_of(path) for path in files)
    await reader.close()
    await database.close()


def _bytes_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
