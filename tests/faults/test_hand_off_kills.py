"""F2 and C16 with hand-off: the API process that makes calls itself is killed in the middle of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, select

from providers.simulator.process import SimulatorProcess
from store.database import open_database
from store.tables import attempt, job
from tests.faults.checker import find_violations
from tests.faults.test_callers import CHAT, persist
from tests.laneway_up import LanewayUp, wait_for

POSTS = 60
KILLS = 2
AT_ONCE = 12
LEASE_MS = 10_000


@pytest.fixture
def simulator() -> Iterator[SimulatorProcess]:
    """A provider without faults, which keeps a bill."""
    with SimulatorProcess.start() as simulator:
        simulator.change(latency_ms=200)
        yield simulator


@pytest.fixture
async def up(tmp_path: Path, simulator: SimulatorProcess) -> AsyncIterator[LanewayUp]:
    """A whole Laneway with hand-off, as it is by default, and short leases."""
    environ = {
        "LANEWAY_SWEEP_MS": "500", "LANEWAY_LEASE_MS": str(LEASE_MS), "LANEWAY_RENEW_MS": "1000",
        "LANEWAY_SIMULATOR_URL": simulator.url,
    }  # fmt: skip
    with LanewayUp(tmp_path / "data", environ=environ) as laneway:
        await asyncio.to_thread(laneway.wait_ready)
        yield laneway


async def books(up: LanewayUp, bill: list[dict[str, Any]]) -> tuple[list[str], list[str], int]:
    """What is wrong in the tables and against the bill, every attempt's outcome, and how many jobs were rescued."""

    def look(connection: Connection, now_ms: int) -> tuple[list[str], list[str], int]:
        outcomes = list(connection.execute(select(attempt.c.outcome).order_by(attempt.c.outcome)).scalars())
        rescued = len(connection.execute(select(job.c.id).where(job.c.crashes > 0)).all())
        return find_violations(connection, now_ms, bill), outcomes, rescued

    database = open_database(f"sqlite:///{up.data_dir / 'laneway.db'}")
    try:
        return await database.read(look)
    finally:
        await database.close()


def chat(text: str, model: str = "simulator/sim-small") -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}]}


async def test_named_posts_over_kills_of_the_process_that_calls_are_each_answered_once(
    up: LanewayUp, simulator: SimulatorProcess
) -> None:
    headers = {"authorization": f"Bearer {up.master_key}"}
    async with httpx.AsyncClient(base_url=up.url, headers=headers, trust_env=False, timeout=120) as http:
        gate = asyncio.Semaphore(AT_ONCE)

        async def post(number: int) -> httpx.Response:
            async with gate:
                return await persist(http, CHAT, chat(f"post {number}"), f"post {number}")

        posts = [asyncio.create_task(post(number)) for number in range(POSTS)]
        for _ in range(KILLS):
            await asyncio.to_thread(wait_for, lambda: simulator.stats()["in_flight"] >= 2, what="calls under way")
            await asyncio.to_thread(up.kill_child, "serve")
        answers = await asyncio.gather(*posts)
    assert {each.status_code for each in answers} == {200}
    for number, each in enumerate(answers):
        assert f"post {number}" in each.json()["choices"][0]["message"]["content"]
    assert len({each.headers["x-laneway-job-id"] for each in answers}) == POSTS
    await asyncio.to_thread(up.stop)
    simulator.wait_idle()
    bill = list(simulator.bill())
    violations, outcomes, rescued = await books(up, bill)
    print(f"{len(bill) - POSTS} extra calls, {rescued} jobs rescued")
    assert violations == []
    assert (outcomes.count("ok"), set(outcomes)) == (POSTS, {"ok", "unknown"})
    assert 0 < rescued <= outcomes.count("unknown") <= KILLS * AT_ONCE


async def test_a_killed_call_is_made_again_and_its_repetition_gets_the_answer(
    up: LanewayUp, simulator: SimulatorProcess
) -> None:
    headers = {"authorization": f"Bearer {up.master_key}"}
    simulator.change(latency_ms=2_000)
    async with httpx.AsyncClient(base_url=up.url, headers=headers, trust_env=False, timeout=120) as http:
        first = asyncio.create_task(http.post(CHAT, json=chat("slow")))
        await asyncio.to_thread(wait_for, lambda: simulator.stats()["in_flight"], what="the call")
        await asyncio.to_thread(up.kill_child, "serve")
        with pytest.raises(httpx.TransportError):
            await first
        while True:
            try:
                answer = await http.post(CHAT, json=chat("slow"), headers={"x-stainless-retry-count": "1"})
                break
            except httpx.TransportError:
                await asyncio.sleep(0.1)
        assert (answer.status_code, answer.headers["idempotent-replayed"]) == (200, "true")
        receipt = (await http.get(f"/v1/jobs/{answer.headers['x-laneway-job-id']}")).json()
    assert [each["outcome"] for each in receipt["laneway"]["attempts"]] == ["unknown", "ok"]
    assert len(list(simulator.bill())) == 2
