"""F1: workers killed at random moments lose no job, repeat no line, and double no more calls than they held."""

import asyncio
import os
import random
import signal
import time

import pytest

from router.lifecycle import BATCH_TERMINAL
from tests.faults.caller import Caller, NotInTime, calling, chat_lines
from tests.faults.checker import Checked
from tests.faults.conftest import MakeStand
from tests.faults.figures import Record
from tests.faults.stand import MORTAL, Stand, Worker
from tests.laneway_up import wait_for

pytestmark = pytest.mark.fault("F1")
SLOTS = 50
PAUSE_S = 2.0
FULL = [pytest.mark.full, pytest.mark.timeout(1_200)]


def in_calls(stand: Stand) -> list[Worker]:
    """The workers that have begun to call."""
    return [worker for worker in stand.running() if worker.connections]


async def kill_now_and_then(stand: Stand, caller: Caller, batch_id: bytes, most: int) -> tuple[int, int, int]:
    """SIGKILL a worker that makes calls, then any one every two seconds while the batch runs; start another at once.

    Returns (kills, calls that the killed workers had open, attempts that they held).
    """
    kills = connections = held = 0
    await caller.wait_batch(batch_id, lambda _: bool(in_calls(stand)))
    while kills < most and (await caller.batch(batch_id)).status not in BATCH_TERMINAL:
        victim = random.choice(stand.running() if kills else in_calls(stand))
        connections += victim.connections
        victim.kill()
        stand.start_worker()
        held += await caller.open_attempts(victim)
        kills += 1
        await asyncio.sleep(PAUSE_S)
    return kills, connections, held


@pytest.mark.parametrize(
    ("database", "jobs", "kills", "latency_ms", "limit_s"),
    [
        pytest.param("sqlite", 200, 2, "500-2500", 300, id="200 jobs, sqlite"),
        pytest.param("sqlite", 5_000, 30, "200-800", 800, id="5000 jobs, sqlite", marks=FULL),
        pytest.param("postgres", 5_000, 30, "200-800", 800, id="5000 jobs, postgres", marks=FULL),
        pytest.param("sqlite", 5_000, 30, "500-2500", 800, id="5000 longer jobs, sqlite", marks=FULL),
    ],
)
async def test_killed_workers_double_at_most_the_calls_that_they_held(
    make_stand: MakeStand, record: Record, database: str, jobs: int, kills: int, latency_ms: str, limit_s: int
) -> None:
    stand, lines = make_stand(slots=SLOTS, settings=MORTAL), chat_lines(jobs)
    stand.simulator.change(latency_ms=latency_ms)
    async with calling(stand) as caller:
        stand.start_workers(2)
        started = time.monotonic()
        batch_id = await caller.submit(lines)
        killed, connections, held = await kill_now_and_then(stand, caller, batch_id, kills)
        batch = await caller.wait(batch_id, limit_s)
        took_s = time.monotonic() - started
        checked = await caller.check((batch_id, lines))
    said = f"{killed} kills, {connections} connections and {held} attempts open at them; finished in {took_s:.1f} s"
    record(said, checked, at_most=held)
    assert (batch.completed, batch.failed, took_s < limit_s, killed > 0) == (jobs, 0, True, True)
    assert (
        checked.calls - jobs <= killed * SLOTS * 1.1
    )  # calls open at the kill, and the few whose answers were not yet committed


@pytest.mark.sabotage("no_sweep")
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


@pytest.mark.sabotage("no_write_ahead")
async def test_without_the_write_ahead_the_bill_has_calls_that_nobody_wrote_down(make_stand: MakeStand) -> None:
    stand, lines = make_stand(), chat_lines(20)
    async with calling(stand) as caller:
        stand.start_worker(sabotages=("no_write_ahead",))
        await caller.wait(await caller.submit(lines), 120)
        violations = (await caller.check()).violations
    assert any("calls have no attempt" in each for each in violations)


async def cancel_what_a_killed_worker_held(stand: Stand, *sabotages: str, limit_s: float) -> tuple[Checked, int]:
    """Kill a worker in its calls, cancel the batch, and only then let its leases run out; returns what it held, too."""
    stand.simulator.change(latency_ms=8_000)
    async with calling(stand) as caller:
        batch_id = await caller.submit(chat_lines(stand.slots))
        first = stand.start_worker()
        await caller.wait_in_flight(stand.slots)
        first.kill()
        held = await caller.open_attempts(first)
        await caller.cancel(batch_id)
        stand.start_worker(sabotages=sabotages)
        await caller.wait(batch_id, 120)
        await caller.let_lapse(first)
        return await caller.check(limit_s=limit_s), held


@pytest.mark.full
async def test_calls_of_a_killed_worker_are_accounted_for_though_their_jobs_have_ended(
    make_stand: MakeStand, record: Record
) -> None:
    checked, held = await cancel_what_a_killed_worker_held(make_stand(slots=10), limit_s=120)
    record(f"{held} calls of jobs that were cancelled meanwhile", checked)
    assert len(checked.books.attempts_of("unknown")) == held == 10


@pytest.mark.sabotage("lease_on_job")
async def test_with_the_lease_on_the_job_calls_of_a_killed_worker_are_forgotten(make_stand: MakeStand) -> None:
    with pytest.raises(NotInTime):
        await cancel_what_a_killed_worker_held(make_stand(slots=10), "lease_on_job", limit_s=5)


async def test_a_worker_frozen_past_its_leases_comes_back_to_jobs_that_another_has_done(
    make_stand: MakeStand, record: Record
) -> None:
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
    record(f"{late} late answers of the frozen worker were counted", checked, at_most=20)
    assert batch.completed == 20
    assert 30 <= checked.calls <= 40  # the ten under way, and at most the ten that waited for a slot


async def test_a_worker_that_could_not_renew_runs_its_own_jobs_again_and_keeps_its_slots(
    make_stand: MakeStand, record: Record
) -> None:
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
    record("all calls in flight were taken for lost", checked, at_most=20)
    assert (batch.completed, checked.calls) == (20, 40)
