"""F18: a message delivered five times, to four workers, in any order, is one call for each of its jobs."""

import asyncio
import time
from dataclasses import replace

import pytest

from tests.faults.caller import calling, chat_lines
from tests.faults.conftest import MakeStand
from tests.faults.stand import STEADY

SOUND, FLAKY = 350, 150


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_messages_sent_five_times_are_called_once(make_stand: MakeStand, database: str) -> None:
    """The flaky lines fail once each, so that they come again as messages of single jobs."""
    stand = make_stand(slots=20, settings=replace(STEADY, slice_jobs=16))
    lines = [*chat_lines(SOUND), *chat_lines(FLAKY, "sim/sim-flaky", "flaky")]
    async with calling(stand) as caller:
        started = time.monotonic()
        stand.start_workers(4, sabotages=("copies",))
        batch_id = await caller.submit(lines)
        batch = await caller.wait(batch_id, 240)
        took_s = time.monotonic() - started
        checked = await caller.check((batch_id, lines))
    print(f"{len(lines)} jobs on {database}: {checked.calls} calls, {took_s:.1f} s")
    assert checked.violations == []
    assert (batch.completed, checked.calls) == (SOUND + FLAKY, SOUND + 2 * FLAKY)


async def test_with_an_unconditional_claim_a_message_sent_five_times_is_called_more_than_once(
    make_stand: MakeStand,
) -> None:
    stand, lines = make_stand(slots=20, settings=replace(STEADY, slice_jobs=10)), chat_lines(40)
    stand.simulator.change(latency_ms=500)
    async with calling(stand) as caller:
        stand.start_workers(2, sabotages=("copies", "claim_unconditional"))
        await caller.submit(lines)
        end_s = time.monotonic() + 60
        while stand.simulator.stats()["calls"] <= len(lines):
            assert time.monotonic() < end_s, "no call was doubled: this test cannot see what it is for"
            await asyncio.sleep(0.05)
