"""Callers who wait while the API is killed: F2, and a repetition by the client."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from providers.simulator.process import SimulatorProcess
from tests.laneway_up import LanewayUp, wait_for

POSTS = 200
KILLS = 3
CHAT = "/v1/chat/completions"


@pytest.fixture
def simulator() -> Iterator[SimulatorProcess]:
    """A provider without faults, which keeps a bill."""
    with SimulatorProcess.start() as simulator:
        simulator.change(latency_ms=100)
        yield simulator


@pytest.fixture
async def up(tmp_path: Path, simulator: SimulatorProcess) -> AsyncIterator[LanewayUp]:
    """A whole Laneway whose API makes no calls and can be killed; its supervisor starts another one."""
    environ = {"LANEWAY_SWEEP_MS": "1000", "LANEWAY_SIMULATOR_URL": simulator.url, "LANEWAY_HAND_OFF": "0"}
    with LanewayUp(tmp_path / "data", environ=environ) as laneway:
        await asyncio.to_thread(laneway.wait_ready)
        yield laneway


async def persist(http: httpx.AsyncClient, route: str, body: dict[str, Any], name: str) -> httpx.Response:
    """Post until there is an answer, as a client with a key of its own may."""
    while True:
        try:
            answer = await http.post(route, json=body, headers={"idempotency-key": name})
            if answer.status_code < 500:
                return answer
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)


async def test_an_api_that_is_killed_makes_every_named_post_once(up: LanewayUp, simulator: SimulatorProcess) -> None:
    """F2: half of the posts hand a job in, half wait for its answer."""
    headers = {"authorization": f"Bearer {up.master_key}"}
    started = time.monotonic()
    async with httpx.AsyncClient(base_url=up.url, headers=headers, trust_env=False, timeout=120) as http:
        gate = asyncio.Semaphore(20)

        async def post(number: int) -> tuple[str, int]:
            body = {"model": "simulator/sim-small", "messages": [{"role": "user", "content": f"post {number}"}]}
            async with gate:
                await asyncio.sleep(0.2)
                if number % 2:
                    answer = await persist(http, CHAT, body, f"post {number}")
                    return answer.headers["x-laneway-job-id"], answer.status_code
                answer = await persist(http, "/v1/jobs", {"endpoint": CHAT, "body": body}, f"post {number}")
                return answer.json()["id"], answer.status_code

        posts = [asyncio.create_task(post(number)) for number in range(POSTS)]
        for _ in range(KILLS):
            await asyncio.sleep(0.4)
            await asyncio.to_thread(up.kill_child, "serve")
        told = await asyncio.gather(*posts)
        assert {status for _, status in told} == {200, 202}
        ids = [job_id for job_id, _ in told]
        assert len(set(ids)) == POSTS
        for job_id in ids:
            job = (await http.get(f"/v1/jobs/{job_id}?wait=60")).json()
            assert (job["status"], len(job["laneway"]["attempts"])) == ("completed", 1), job["laneway"]
        listed = 0
        page = (await http.get("/v1/jobs?limit=100")).json()
        while True:
            listed += len(page["data"])
            if not page["has_more"]:
                break
            page = (await http.get(f"/v1/jobs?limit=100&after={page['last_id']}")).json()
        assert listed == POSTS
    assert len(list(simulator.bill())) == POSTS
    print(f"{POSTS} posts over {KILLS} kills in {time.monotonic() - started:.1f} s")


async def test_a_client_that_repeats_over_a_kill_is_billed_once(up: LanewayUp, simulator: SimulatorProcess) -> None:
    """Without a key, by what the official clients send with a repetition."""
    headers = {"authorization": f"Bearer {up.master_key}"}
    simulator.change(slow_ms=10_000)
    body = {"model": "simulator/sim-slow", "messages": [{"role": "user", "content": "slow"}]}
    async with httpx.AsyncClient(base_url=up.url, headers=headers, trust_env=False, timeout=120) as http:
        first = asyncio.create_task(http.post(CHAT, json=body))
        await asyncio.to_thread(wait_for, lambda: simulator.stats()["in_flight"], what="the call")
        await asyncio.to_thread(up.kill_child, "serve")
        with pytest.raises(httpx.TransportError):
            await first
        while True:
            try:
                answer = await http.post(CHAT, json=body, headers={"x-stainless-retry-count": "1"})
                break
            except httpx.TransportError:
                await asyncio.sleep(0.1)
        assert (answer.status_code, answer.headers["idempotent-replayed"]) == (200, "true")
    assert len(list(simulator.bill())) == 1
