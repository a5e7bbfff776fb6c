"""F4: Redis emptied in the middle of a run costs no job and no call, and work goes on within seconds."""

import asyncio
import time

import pytest

from tests.faults.caller import Caller, NotInTime, calling, chat_lines
from tests.faults.conftest import MakeStand
from tests.faults.stand import HASTY

FLUSHES = 5
STALL_MS = 3_000


async def wait_handed_out(caller: Caller, batch_id: bytes, lines: int) -> None:
    """Wait until a batch runs and so many of its lines have ended."""
    await caller.wait_ended(batch_id, lines)


@pytest.mark.parametrize(
    ("database", "jobs"),
    [
        pytest.param("sqlite", 600, id="600 jobs, sqlite"),
        pytest.param("sqlite", 3_000, id="3000 jobs, sqlite", marks=pytest.mark.full),
        pytest.param("postgres", 3_000, id="3000 jobs, postgres", marks=pytest.mark.full),
    ],
)
async def test_a_flushed_redis_doubles_no_call_and_stalls_no_longer_than_three_seconds(
    make_stand: MakeStand, database: str, jobs: int
) -> None:
    stand, lines = make_stand(database, slots=20), chat_lines(jobs)
    stand.simulator.change(latency_ms="200-400")
    flushed_at_ms = []
    async with calling(stand) as caller:
        stand.start_workers(2, settings=FINE)
        batch_id = await caller.submit(lines)
        for done in range(FLUSHES):
            await caller.wait_ended(batch_id, 1 + jobs * done // (FLUSHES + 2), 60)
            flushed_at_ms.append(time.time_ns() // 1_000_000)
            await asyncio.to_thread(stand.valkey.flush)
        batch = await caller.wait(batch_id, 90)
        checked = await caller.check((batch_id, lines))
    stalls_ms = longest_stalls(flushed_at_ms, sorted(row["started_at_ms"] for row in checked.bill))
    print(f"{jobs} jobs on {database}, {FLUSHES} flushes: {checked.calls - jobs} extra calls, stalls {stalls_ms} ms")
    assert checked.violations == []
    assert (batch.completed, checked.calls) == (jobs, jobs)
    assert max(stalls_ms) <= STALL_MS
