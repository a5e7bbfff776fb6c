"""The simulator's bill, limits, settings and counters."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from providers.simulator.bill import Bill, Entry, Outcome
from providers.simulator.process import SimulatorProcess

CHAT = "/v1/chat/completions"
PRICES = {"sim-small": (150_000_000, 600_000_000), "sim-large": (2_500_000_000, 10_000_000_000)}
PLAIN = {
    "latency_ms": 0,
    "rate_429": 0,
    "rate_500": 0,
    "requests_per_minute": None,
    "request_burst": None,
    "max_parallel": None,
    "chunk_ms": 0,
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess.start() as running:
        yield running


@pytest.fixture
async def client(simulator: SimulatorProcess) -> AsyncIterator[httpx.AsyncClient]:
    simulator.change(**PLAIN)
    simulator.reset()
    limits = httpx.Limits(max_connections=None)
    root = simulator.url.removesuffix("/v1")
    async with httpx.AsyncClient(base_url=root, timeout=120, limits=limits, trust_env=False) as one:
        yield one


async def call(client: httpx.AsyncClient, model: str, text: str, attempt: str | None = None) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return await client.post(CHAT, json=body, headers={"x-laneway-attempt": attempt} if attempt else {})


async def test_the_bill_is_exact_under_200_concurrent_calls(
    simulator: SimulatorProcess, client: httpx.AsyncClient
) -> None:
    simulator.change(latency_ms="20-60")
    models = ["sim-small", "sim-large", "sim-500"]
    replies = await asyncio.gather(
        *[call(client, models[index % 3], "q" * index, f"job_{index // 2}.1") for index in range(200)]
    )
    rows = {row["call_id"]: row for row in simulator.bill()}
    assert len(rows) == 200
    total = 0
    for reply in (one for one in replies if one.status_code == 200):
        answer = reply.json()
        row, usage = rows[answer["id"].removeprefix("chatcmpl-")], answer["usage"]
        price_in, price_out = PRICES[answer["model"]]
        cost = (usage["prompt_tokens"] * price_in + usage["completion_tokens"] * price_out + 500_000) // 1_000_000
        assert (row["model"], row["cost_nanousd"], row["billed"]) == (answer["model"], cost, True)
        assert (row["prompt_tokens"], row["completion_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
        assert 18 <= row["ended_at_ms"] - row["started_at_ms"]  # the timer and the clock round apart
        total += cost
    stats = simulator.stats()
    assert Counter(reply.status_code for reply in replies) == {200: 134, 500: 66}
    assert stats["by_status"] == {"200": 134, "500": 66}
    assert (stats["billed_calls"], stats["billed_nanousd"]) == (134, total)
    assert (stats["distinct_attempts"], stats["duplicate_attempts"]) == (100, 100)
    assert (stats["calls"], stats["ended"], stats["in_flight"]) == (200, 200, 0)
    assert 1 <= stats["max_in_flight"] <= 134
    assert sum(second["calls"] for second in stats["per_second"]) == 200


async def test_a_client_that_leaves_before_the_answer_is_billed_all_the_same(
    simulator: SimulatorProcess, client: httpx.AsyncClient
) -> None:
    simulator.change(latency_ms=4_000)
    async with leaving(client, "sim-small"):
        await wait_for(simulator, lambda stats: stats["in_flight"] == 1)
    await asyncio.to_thread(simulator.wait_idle, 60)
    (row,) = simulator.bill()
    assert (row["outcome"], row["billed"], row["attempt"]) == ("client_left", True, None)
    assert row["cost_nanousd"] > 0
    assert row["ended_at_ms"] - row["started_at_ms"] >= 3_998


async def test_a_stream_cut_by_its_client_is_billed_whole(
    simulator: SimulatorProcess, client: httpx.AsyncClient
) -> None:
    simulator.change(chunk_ms=2_000)
    body = {"model": "sim-small", "messages": [{"role": "user", "content": "x"}], "stream": True}
    async with client.stream("POST", CHAT, json=body) as reply:
        await anext(reply.aiter_raw())
    await asyncio.to_thread(simulator.wait_idle, 60)
    (row,) = simulator.bill()
    assert (row["outcome"], row["billed"], row["completion_tokens"]) == ("client_left", True, 8)


async def test_embeddings_cost_their_prompt_only(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    await client.post("/v1/embeddings", json={"model": "sim-embed", "input": ["x" * 400, "y" * 4]})
    (row,) = simulator.bill()
    assert (row["path"], row["prompt_tokens"], row["completion_tokens"]) == ("/v1/embeddings", 101, 0)
    assert row["cost_nanousd"] == 101 * 20


async def test_the_bill_file_outlives_the_simulator(tmp_path: Path) -> None:
    path = tmp_path / "bill.jsonl"
    for expected in (3, 6):
        with SimulatorProcess.start(["--bill", str(path)]) as running:
            async with httpx.AsyncClient(base_url=running.url.removesuffix("/v1"), timeout=120, trust_env=False) as one:
                for number in range(3):
                    await call(one, "sim-small", str(number), f"job_{number}.1")
            memory = list(running.bill())
            os.kill(running.process.pid, signal.SIGTERM)
            assert running.process.wait(60) == 0
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert (len(rows), rows[-3:]) == (expected, memory)
        assert len({row["call_id"] for row in rows}) == expected


async def test_a_stop_ends_open_calls_as_broken_and_unbilled(tmp_path: Path) -> None:
    path = tmp_path / "bill.jsonl"
    with SimulatorProcess.start(["--bill", str(path), "--latency-ms", "60000"]) as running:
        async with httpx.AsyncClient(base_url=running.url.removesuffix("/v1"), timeout=120, trust_env=False) as one:
            waiting = asyncio.create_task(call(one, "sim-small", "never answered"))
            await wait_for(running, lambda stats: stats["in_flight"] == 1)
            assert await asyncio.to_thread(running.stop) == 0
            with pytest.raises(httpx.TransportError):
                await waiting
    row = json.loads(path.read_text())
    assert (row["outcome"], row["billed"], row["cost_nanousd"]) == ("broken", False, 0)


async def test_the_rate_limit_refuses_what_is_over_the_burst(
    simulator: SimulatorProcess, client: httpx.AsyncClient
) -> None:
    simulator.change(requests_per_minute=1, request_burst=5)  # nothing comes back while this test runs
    replies = await asyncio.gather(*[call(client, "sim-small", str(number)) for number in range(12)])
    good = [reply for reply in replies if reply.status_code == 200]
    refused = [reply for reply in replies if reply.status_code == 429]
    assert (len(good), len(refused)) == (5, 7)
    wait_ms = int(refused[0].headers["retry-after-ms"])
    assert 0 < wait_ms <= 60_000
    assert refused[0].headers["retry-after"] == str(-(-wait_ms // 1_000))
    assert refused[0].headers["x-ratelimit-limit-requests"] == "1"
    assert refused[0].headers["x-ratelimit-remaining-requests"] == "0"
    assert min(int(reply.headers["x-ratelimit-remaining-requests"]) for reply in good) == 0
    assert all(reply.headers["x-ratelimit-reset-requests"].endswith("s") for reply in replies)


async def test_calls_over_the_parallel_limit_are_refused(
    simulator: SimulatorProcess, client: httpx.AsyncClient
) -> None:
    simulator.change(max_parallel=10)
    async with contextlib.AsyncExitStack() as held:
        for _ in range(10):
            await held.enter_async_context(leaving(client, "sim-hang"))
        await wait_for(simulator, lambda stats: stats["in_flight"] == 10)
        replies = await asyncio.gather(*[call(client, "sim-small", str(number)) for number in range(15)])
        assert Counter(reply.status_code for reply in replies) == {429: 15}
        assert simulator.stats()["in_flight"] == 10
    await asyncio.to_thread(simulator.wait_idle, 60)
    assert (await call(client, "sim-small", "there is room again")).status_code == 200
    assert simulator.stats()["max_in_flight"] >= 10


async def test_error_rates_are_the_same_in_every_run(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    async def statuses() -> list[int]:
        simulator.reset()
        return [(await call(client, "sim-small", "x")).status_code for _ in range(200)]

    simulator.change(rate_429=0.1, rate_500=0.2, seed=7)
    first, again = await statuses(), await statuses()
    simulator.change(seed=8)
    other = await statuses()
    counts = Counter(first)
    assert first == again
    assert first != other
    assert 8 <= counts[429] <= 34
    assert 22 <= counts[500] <= 60


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"no_such_setting": 1}, "no_such_setting"),
        ({"latency_ms": "soon"}, "latency_ms"),
        ({"latency_ms": "30-20"}, "latency_ms"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"rate_429": 1.5}, "rate_429"),
        ({"refuse": "yes"}, "refuse"),
        ({"prices": {"gpt-9": {"input": 1}}}, "prices"),
        ({"prices": {"sim-small": {"input": 0.5}}}, "prices"),
        ([1], "object"),
    ],
)
async def test_a_wrong_setting_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, change: Any, word: str
) -> None:
    before = (await client.get("/sim/settings")).json()
    reply = await client.post("/sim/settings", json=change)
    assert (reply.status_code, word in reply.json()["error"]["message"]) == (400, True)
    assert (await client.get("/sim/settings")).json() == before


async def test_a_price_change_leaves_the_other_prices(client: httpx.AsyncClient, simulator: SimulatorProcess) -> None:
    settings = simulator.change(prices={"sim-large": {"input": 1_000_000, "output": 0}})
    assert settings["prices"]["sim-small"] == {"input": 150_000_000, "output": 600_000_000}
    await call(client, "sim-large", "x" * 4)
    (row,) = simulator.bill()
    simulator.change(prices={"sim-large": {"input": 2_500_000_000, "output": 10_000_000_000}})
    assert row["cost_nanousd"] == row["prompt_tokens"] == 8


def test_a_million_rows_need_little_memory() -> None:
    bill = Bill("run")
    for number in range(20_000):
        bill.add(entry(number, f"job_{number:026d}.1".encode()))
    kept = len(bill._rows) + len(bill._attempts)
    assert kept / 20_000 < 90
    assert [json.loads(line)["call_id"] for line in bill.lines(19_998)] == ["run-19998", "run-19999"]


def test_a_long_attempt_id_and_many_model_names_are_bounded() -> None:
    bill = Bill("run")
    for number in range(3_000):
        bill.add(entry(number, b"a" * 1_000, model=f"model-{number}"))
    rows = [json.loads(line) for line in bill.lines()]
    assert {len(row["attempt"]) for row in rows} == {255}
    assert (rows[0]["model"], rows[-1]["model"]) == ("model-0", "(other)")


@contextlib.asynccontextmanager
async def leaving(client: httpx.AsyncClient, model: str) -> AsyncIterator[None]:
    """Make a call whose client leaves at the end of the block."""
    calling = asyncio.create_task(call(client, model, "left"))
    try:
        yield
    finally:
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)


async def wait_for(running: SimulatorProcess, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until something holds of the counters."""
    end_s = time.monotonic() + 60
    while not holds(stats := await asyncio.to_thread(running.stats)):
        assert time.monotonic() < end_s, stats
        await asyncio.sleep(0.01)


def entry(number: int, attempt: bytes, model: str = "sim-small") -> Entry:
    return Entry(number, attempt, model, CHAT, 1_000, 1_020, 200, 10, 5, 4_500, True, Outcome.ANSWERED)


def test_a_bad_flag_and_a_taken_port_are_explained(
    simulator: SimulatorProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    port = simulator.url.rsplit(":", 1)[1].removesuffix("/v1")
    for flags, code, words in ((["--latency-ms", "soon"], 2, "--latency-ms"), (["--port", port], 1, "cannot start")):
        with pytest.raises(RuntimeError, match=f"exit code {code}"):
            SimulatorProcess.start(flags)
        assert words in capfd.readouterr().err
