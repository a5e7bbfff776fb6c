"""Bulk inserts: every row is there with its own values and the shared ones, however many there are."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from router.lifecycle import JobState
from store.bulk import insert_many, insertion
from store.ids import MASTER_KEY_ID, new_id
from store.tables import job, payload
from tests.services.job_protocol import Store, open_store

_INTO_JOB = insertion(
    job, ("id", "custom_id", "failover"), shared=("key_id", "created_at_ms", "state", "endpoint", "route", "tags_json")
)
_INTO_PAYLOAD = insertion(payload, ("job_id", "body"))
SHARED = {
    "key_id": MASTER_KEY_ID, "created_at_ms": 5, "state": JobState.QUEUED, "endpoint": "e", "route": "r",
    "tags_json": None,
}  # fmt: skip
"""Among them a column whose default is 0, and one that stays null."""


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


def write_jobs(connection: Connection, _now_ms: int, ids: Sequence[bytes]) -> None:
    rows = [(each, f"c{n}", "strict" if n % 2 else None) for n, each in enumerate(ids)]
    insert_many(connection, _INTO_JOB, rows, SHARED)


def read_jobs(connection: Connection, _now_ms: int) -> list[Any]:
    return list(connection.execute(select(job).order_by(job.c.id)))


def write_payloads(connection: Connection, _now_ms: int, ids: Sequence[bytes]) -> None:
    insert_many(connection, _INTO_PAYLOAD, [(each, b"body") for each in ids])


@pytest.mark.parametrize("count", [0, 1, 16, 255, 256, 300])
async def test_rows_have_their_own_values_and_the_shared_ones(store: Store, count: int) -> None:
    ids = [new_id() for _ in range(count)]
    await store(write_jobs, ids)
    rows = await store(read_jobs)
    assert [(row.id, row.custom_id, row.failover) for row in rows] == [
        (each, f"c{n}", "strict" if n % 2 else None) for n, each in enumerate(ids)
    ]
    for row in rows:
        assert {name: getattr(row, name) for name in SHARED} == SHARED
        assert (row.priority, row.attempt, row.deadline_at_ms, row.slice_id, row.queue) == (0, 0, 0, None, None)


async def test_of_a_group_with_a_row_that_is_there_already_none_is_written(store: Store) -> None:
    ids = [new_id() for _ in range(300)]
    await store(write_payloads, ids[-1:])
    with pytest.raises(IntegrityError):
        await store(write_payloads, ids)
    await store(write_payloads, ids[:-1])
