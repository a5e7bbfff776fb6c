"""F1: workers killed at random moments lose no job, repeat no line, and double no more calls than they held."""

import asyncio
import os
import random
import signal
import time

import pytest

from router.lifecycle import BATCH_TERMINAL
from tests.faults.caller import Caller, NotInTime, calling, chat_lines
from tests.faults.conftest import MakeStand
from tests.faults.stand import MORTAL, Stand
from tests.laneway_up import wait_for

SLOTS = 50
PAUSE_S = 2.0


async def kill_now_and_then(stand: Stand, caller: Caller, batch_id: bytes, most: int) -> tuple[int, int, int]:
    """SIGKILL a random worker every two seconds while the batch runs, and start another at once.

    Returns (kills, calls that the killed workers had open, attempts that they held).
    """
    kills = connections = held = 0
    while kills < most:
        await asyncio.sleep(PAUSE_S)
        if (await caller.batch(batch_id)).status in BATCH_TERMINAL:
            break
        victim = random.choice(stand.running())
        connections += victim.connections
        victim.kill()
        stand.start_worker()
        held += await caller.open_attempts(victim)
        kills += 1
    return kills, connections, held


@pytest.mark.parametrize(
    ("database", "jobs", "kills", "limit_s"),
    [
        pytest.param("sqlite", 600, 4, 300, id="600 jobs, sqlite"),
        pytest.param(
            "sqlite", 5_000, 30, 800, id="5000 jobs, sqlite", marks=[pytest.mark.full, pytest.mark.timeout(1_200)]
        ),
        pytest.param(
            "postgres", 5_000, 30, 800, id="5000 jobs, postgres", marks=[pytest.mark.full, pytest.mark.timeout(1_200)]
        ),
    ],
)
async def test_killed_workers_double_at_most_the_calls_that_they_held(
    make_stand: MakeStand, database: str, jobs: int, kills: int, limit_s: int
) -> None:
    stand, lines = make_stand(slots=SLOTS, settings=MORTAL), chat_lines(jobs)
    stand.simulator.change(latency_ms="500-2500")
    async with calling(stand) as caller:
        stand.start_workers(2)
        started = time.monotonic()
        batch_id = await caller.submit(lines)
        killed, connections, held = await kill_now_and_then(stand, caller, batch_id, kills)
        batch = await caller.wait(batch_id, limit_s)
        took_s = time.monotonic() - started
        checked = await caller.check((batch_id, lines))
    extra = checked.calls - jobs
    print(
        f"{jobs} jobs on {database}, {killed} kills: {extra} extra calls, {connections} connections and {held} "
        f"attempts were open at the kills, {took_s:.1f} s"
    )
    assert checked.violations == []
    assert (batch.completed, batch.failed, took_s < limit_s, killed > 0) == (jobs, 0, True, True)
    assert extra <= held
    assert extra <= killed * SLOTS * 1.1  # calls open at the kill, and the few whose answers were not yet committed


async def test_without_the_sweep_the_jobs_of_a_killed_worker_never_run(make_stand: MakeStand) -> None:
    stand, lines = make_stand(slots=10), chat_lines(60)
    stand.simulator.change(latency_ms=5_000)  # the calls outlast the look at who holds them
    async with calling(stand) as caller:
        workers = stand.start_workers(2, sabotages=("no_sweep",))
        batch_id = await caller.submit(lines)
        await caller.wait_in_flight(1)
        holders = [worker for worker in workers if await caller.open_attempts(worker)]
        holders[0].kill()
        await caller.let_lapse(holders[0])
        stand.simulator.change(latency_ms=0)
        await caller.wait_simulator(lambda stats: stats["in_flight"] == 0)
        with pytest.raises(NotInTime):
            await caller.wait(batch_id, 5)


async def test_without_the_write_ahead_the_bill_has_calls_that_nobody_wrote_down(make_stand: MakeStand) -> None:
    stand, lines = make_stand(), chat_lines(20)
    async with calling(stand) as caller:
        stand.start_worker(sabotages=("no_write_ahead",))
        await caller.wait(await caller.submit(lines), 120)
        violations = (await caller.check()).violations
    assert any("calls have no attempt" in each for each in violations)


async def test_a_worker_frozen_past_its_leases_comes_back_to_jobs_that_another_has_done(make_stand: MakeStand) -> None:
    stand, lines = make_stand(slots=10), chat_lines(20)
    stand.simulator.change(latency_ms=8_000)
    async with calling(stand) as caller:
        batch_id = await caller.submit(lines)
        frozen = stand.start_worker(failpoint="freeze", jobs=10)
        await caller.wait_in_flight(10)
        await asyncio.to_thread(wait_for, lambda: frozen.stopped, what="the freeze")
        stand.simulator.change(latency_ms=0)
        await caller.let_lapse(frozen)
        stand.start_worker()
        batch = await caller.wait(batch_id, 120)
        assert frozen.stopped
        os.kill(frozen.pid, signal.SIGCONT)
        await caller.wait_idle(frozen)
        checked = await caller.check((batch_id, lines))
    late = len(checked.books.attempts_of("late_ok"))
    print(f"{checked.calls - 20} extra calls, {late} late answers of the frozen worker were counted")
    assert checked.violations == []
    assert batch.completed == 20
    assert 30 <= checked.calls <= 40  # the ten under way, and at most the ten that waited for a slot


async def test_a_worker_that_could_not_renew_runs_its_own_jobs_again_and_keeps_its_slots(make_stand: MakeStand) -> None:
    """A machine's sleep, a slow database: the worker's own sweep takes its calls for lost while they still run."""
    stand, lines = make_stand(slots=50), chat_lines(20)
    stand.simulator.change(latency_ms=8_000)
    async with calling(stand) as caller:
        worker = stand.start_worker(sabotages=("late_renewals",))
        batch_id = await caller.submit(lines)
        await caller.wait_in_flight(20)
        stand.simulator.change(latency_ms=0)
        await caller.let_lapse(worker)
        batch = await caller.wait(batch_id, 120)
        await caller.wait_idle(worker)
        checked = await caller.check((batch_id, lines))
    print(f"{checked.calls - 20} extra calls")
    assert checked.violations == []
    assert (batch.completed, checked.calls) == (20, 40)
