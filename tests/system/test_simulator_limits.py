"""The simulator's own limits: its gauges in virtual time, and what calls over HTTP see of them."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from itertools import accumulate
from typing import Any

import httpx
import pytest

from providers.dialects.rate_limits import read_rate_limits
from providers.limit import DAY_MS, Demand, Limit, LimitReading, Measure
from providers.simulator.gauge import Bucket, Gauge, Window
from providers.simulator.limits import Limits
from providers.simulator.process import SimulatorProcess
from providers.simulator.settings import Settings
from providers.simulator.traffic import Peak

MS = 1_000_000
SECOND = 1_000 * MS
MINUTE = 60 * SECOND
FRESH: dict[str, Any] = {
    name: Settings.model_fields[name].default
    for name in (
        "requests_per_minute",
        "requests_per_day",
        "tokens_per_minute",
        "input_tokens_per_minute",
        "output_tokens_per_minute",
        "max_parallel",
        "limit_window",
        "burst_share",
        "request_burst",
        "counts_tokens",
        "limits_per_model",
        "enforce",
        "limit_headers",
        "retry_after",
    )
}
ASKED_TOKENS = 3 + 4 + 2
"""Of the prompt "question"."""


def take(gauge: Gauge, amount: int, now_ns: int) -> bool:
    if gauge.level(amount, now_ns).wait_ms:
        return False
    gauge.add(amount, now_ns)
    return True


def test_a_bucket_grants_its_burst_then_its_rate() -> None:
    bucket = Bucket(Limit(Measure.REQUESTS, 120), burst=3)
    remaining = []
    for _ in range(3):
        assert take(bucket, 1, SECOND)
        remaining.append(bucket.level(0, SECOND).remaining)
    assert remaining == [2, 1, 0]
    level = bucket.level(1, SECOND)
    assert (level.wait_ms, level.full_in_ms) == (500, 1_500)
    assert not take(bucket, 1, SECOND + 499_999_999)
    assert take(bucket, 1, SECOND + 500_000_000)
    granted = sum(take(bucket, 1, 2 * SECOND + tick * MS) for tick in range(60_000))
    assert 120 <= granted <= 123


def test_a_bucket_of_tokens_waits_until_a_long_answer_is_paid_for() -> None:
    bucket = Bucket(Limit(Measure.TOKENS, 6_000), burst=600)
    assert take(bucket, 500, SECOND)
    bucket.add(400, SECOND)
    level = bucket.level(100, SECOND)
    assert (level.remaining, level.wait_ms, level.full_in_ms) == (0, 4_000, 9_000)
    assert bucket.level(100, SECOND + 4 * SECOND).wait_ms == 0


def test_a_window_refuses_until_its_oldest_use_is_a_minute_old() -> None:
    window = Window(Limit(Measure.REQUESTS, 3))
    assert [take(window, 1, at * SECOND) for at in (0, 10, 20, 30)] == [True, True, True, False]
    level = window.level(2, 30 * SECOND)
    assert (level.remaining, level.wait_ms, level.full_in_ms) == (0, 40_000, 50_000)
    assert not take(window, 1, MINUTE - 1)
    assert take(window, 1, MINUTE)


def test_a_window_never_grants_more_than_it_holds() -> None:
    window = Window(Limit(Measure.TOKENS, 100))
    assert window.level(101, 0).wait_ms == 60_000
    window.add(250, 0)
    assert (window.level(1, 0).remaining, window.level(1, 0).wait_ms) == (0, 60_000)


@pytest.mark.parametrize("seed", range(5))
def test_no_window_of_a_minute_holds_more_than_the_limit(seed: int) -> None:
    chance, now_ns, granted = random.Random(seed), 0, list[tuple[int, int]]()
    window = Window(Limit(Measure.TOKENS, 500))
    for _ in range(2_000):
        now_ns += chance.randrange(SECOND // 2)
        amount = chance.randrange(1, 40)
        if take(window, amount, now_ns):
            granted.append((now_ns, amount))
    most = max(sum(amount for at, amount in granted if start <= at < start + MINUTE) for start, _ in granted)
    assert 460 < most <= 500


@pytest.mark.parametrize("seed", range(5))
def test_the_peak_is_the_most_of_any_window(seed: int) -> None:
    chance = random.Random(seed)
    times = list(accumulate(chance.randrange(SECOND // 10) for _ in range(300)))
    calls = [(at, Demand(chance.randrange(9), chance.randrange(9))) for at in times]
    peak = Peak(SECOND)
    for at, demand in calls:
        peak.add(at, 1, demand)
    windows = [[demand for at, demand in calls if start <= at < start + SECOND] for start in times]
    assert peak.requests == max(map(len, windows))
    assert peak.tokens == max(sum(one.of(Measure.TOKENS) for one in window) for window in windows)
    assert peak.input_tokens == max(sum(one.input_tokens for one in window) for window in windows)
    assert peak.output_tokens == max(sum(one.output_tokens for one in window) for window in windows)


def test_a_call_takes_from_all_limits_or_from_none() -> None:
    limits = Limits(Settings(requests_per_minute=10, tokens_per_minute=100, limit_window="sliding"))
    assert limits.take("m", Demand(90), 0).granted
    refused = limits.take("m", Demand(20), 0)
    assert [level.remaining for level in refused.levels] == [9, 10]
    assert "100 tokens a minute" in refused.refusal(tells_wait=True).message
    assert [level.remaining for level in limits.take("m", Demand(10), 0).levels] == [8, 0]


def test_output_counts_once_it_is_generated() -> None:
    limits = Limits(Settings(output_tokens_per_minute=100, input_tokens_per_minute=50, limit_window="sliding"))
    assert limits.take("m", Demand(20), 0).granted
    limits.generated("m", 130, SECOND)
    assert not limits.take("m", Demand(1), SECOND).granted
    assert not limits.take("m", Demand(1), MINUTE).granted
    assert limits.take("m", Demand(1), MINUTE + SECOND).granted


def test_a_day_is_a_limit_of_its_own() -> None:
    for window in ("sliding", "bucket"):
        limits = Limits(Settings.model_validate({"requests_per_day": 2, "burst_share": 0.5, "limit_window": window}))
        assert [limits.take("m", Demand(), 0).granted for _ in range(3)] == [True, True, False]
        assert not limits.take("m", Demand(), DAY_MS * MS // 2 - 1).granted
        assert limits.take("m", Demand(), DAY_MS * MS).granted


def test_models_have_limits_apart_where_that_is_set() -> None:
    for apart in (True, False):
        limits = Limits(Settings(requests_per_minute=1, limits_per_model=apart))
        assert limits.take("one", Demand(), SECOND).granted
        assert limits.take("two", Demand(), SECOND).granted is apart


def test_a_bucket_s_burst_is_a_share_of_each_limit_unless_requests_have_their_own() -> None:
    settings = Settings(requests_per_minute=1_000, tokens_per_minute=50_000, burst_share=0.01)
    assert [level.remaining for level in Limits(settings).take("m", Demand(), SECOND).levels] == [9, 500]
    own = settings.changed({"request_burst": 7})
    assert [level.remaining for level in Limits(own).take("m", Demand(), SECOND).levels] == [6, 500]


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess.start() as running:
        yield running


@pytest.fixture
async def client(simulator: SimulatorProcess) -> AsyncIterator[httpx.AsyncClient]:
    simulator.change(**FRESH)
    simulator.reset()
    base = simulator.url.removesuffix("/v1")
    async with httpx.AsyncClient(base_url=base, timeout=60, trust_env=False) as one:
        yield one


async def ask(client: httpx.AsyncClient, model: str = "sim-small", **fields: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "question"}], **fields}
    return await client.post("/v1/chat/completions", json=body)


async def test_what_the_limits_let_through_is_counted(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    simulator.change(requests_per_minute=4, limit_window="sliding")
    replies = await asyncio.gather(*[ask(client) for _ in range(9)])
    good = [reply.json()["usage"] for reply in replies if reply.status_code == 200]
    counts = simulator.stats()["limits"]
    used = sum(usage["total_tokens"] for usage in good)
    assert (counts["accepted"], counts["refused"], counts["tokens"]) == (4, 5, used)
    assert counts["peak_60s"] == {
        "requests": 4,
        "tokens": used,
        "input_tokens": 4 * ASKED_TOKENS,
        "output_tokens": sum(usage["completion_tokens"] for usage in good),
    }
    assert 1 <= counts["peak_1s"]["requests"] <= 4
    assert counts["models"] == {"sim-small": {name: count for name, count in counts.items() if name != "models"}}
    simulator.reset()
    cleared = simulator.stats()["limits"]
    assert (cleared["accepted"], cleared["refused"], cleared["peak_60s"]["requests"], cleared["models"]) == (
        0,
        0,
        0,
        {},
    )


async def test_limits_that_are_not_enforced_are_counted(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    simulator.change(requests_per_minute=2, limit_window="sliding", max_parallel=1, enforce=False)
    replies = await asyncio.gather(*[ask(client) for _ in range(5)])
    assert {reply.status_code for reply in replies} == {200}
    assert min(int(reply.headers["x-ratelimit-remaining-requests"]) for reply in replies) == 0
    counts = simulator.stats()["limits"]
    assert (counts["accepted"], counts["refused"], counts["peak_60s"]["requests"]) == (5, 0, 5)


async def test_tokens_asked_for_count_when_the_call_starts(
    simulator: SimulatorProcess, client: httpx.AsyncClient
) -> None:
    simulator.change(tokens_per_minute=100, limit_window="sliding", counts_tokens="asked")
    assert (await ask(client, max_tokens=50)).headers["x-ratelimit-remaining-tokens"] == str(50 - ASKED_TOKENS)
    assert (await ask(client, max_completion_tokens=33)).status_code == 429
    assert (await ask(client, max_tokens=16, n=2)).headers["x-ratelimit-remaining-tokens"] == "0"
    counts = simulator.stats()["limits"]
    assert (counts["input_tokens"], counts["output_tokens"]) == (2 * ASKED_TOKENS, 82)


async def test_without_a_bound_the_answer_s_own_tokens_count(
    simulator: SimulatorProcess, client: httpx.AsyncClient
) -> None:
    simulator.change(tokens_per_minute=1_000, limit_window="sliding", counts_tokens="asked")
    usage = (await ask(client)).json()["usage"]
    assert simulator.stats()["limits"]["tokens"] == usage["total_tokens"]


async def test_a_refused_call_uses_nothing_up(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    simulator.change(requests_per_minute=3, tokens_per_minute=ASKED_TOKENS, limit_window="sliding")
    assert (await ask(client, messages=[{"role": "user", "content": "x" * 50}])).status_code == 429
    assert (await ask(client)).status_code == 200
    refused = await ask(client)
    assert refused.status_code == 429
    assert refused.headers["x-ratelimit-remaining-requests"] == "2"
    assert "tokens a minute" in refused.json()["error"]["message"]


async def test_a_wrong_request_uses_nothing_up(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    simulator.change(requests_per_minute=1, limit_window="sliding")
    assert (await ask(client, "no-model")).status_code == 404
    assert (await ask(client, messages=[])).status_code == 400
    assert (await ask(client)).status_code == 200


@pytest.mark.parametrize("told", [True, False])
async def test_a_refusal_tells_how_long_to_wait_or_does_not(
    simulator: SimulatorProcess, client: httpx.AsyncClient, told: bool
) -> None:
    simulator.change(requests_per_minute=1, limit_window="sliding", retry_after=told)
    assert (await ask(client)).status_code == 200
    refused = await ask(client)
    assert ("retry-after" in refused.headers) is told
    assert ("retry-after-ms" in refused.headers) is told
    assert ("Try again" in refused.text) is told


async def test_forced_refusals_keep_quiet_too(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    simulator.change(retry_after=False)
    for model in ("sim-429", "sim-503"):
        assert "retry-after" not in (await ask(client, model)).headers


async def test_limits_may_be_kept_secret(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    simulator.change(requests_per_minute=1, limit_window="sliding", limit_headers="none")
    for reply in (await ask(client), await ask(client)):
        assert not [name for name in reply.headers if "ratelimit" in name]
    assert reply.headers["retry-after"] == str(-(-int(reply.headers["retry-after-ms"]) // 1_000))


FACES = {
    "/v1/chat/completions": {},
    "/anthropic/v1/messages": {"anthropic-version": "2023-06-01"},
}


@pytest.mark.parametrize(("path", "headers"), FACES.items())
async def test_every_limit_is_told_in_the_vendor_s_headers(
    simulator: SimulatorProcess, client: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    simulator.change(
        requests_per_minute=100,
        tokens_per_minute=2_000,
        input_tokens_per_minute=1_500,
        output_tokens_per_minute=1_000,
        limit_window="sliding",
    )
    body = {"model": "sim-small", "max_tokens": 50, "messages": [{"role": "user", "content": "question"}]}
    reply = await client.post(path, json=body, headers=headers)
    told = {reading.measure: reading for reading in read_rate_limits(reply.headers)}
    assert {measure: (one.limit, one.remaining) for measure, one in told.items()} == {
        Measure.REQUESTS: (100, 99),
        Measure.TOKENS: (2_000, 2_000 - ASKED_TOKENS),
        Measure.INPUT_TOKENS: (1_500, 1_500 - ASKED_TOKENS),
        Measure.OUTPUT_TOKENS: (1_000, 1_000),
    }
    assert all(reading.reset_ms is not None for reading in told.values())


async def test_a_day_is_told_apart_from_a_minute(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    simulator.change(requests_per_minute=10, requests_per_day=500, limit_window="sliding")
    minute, day = read_rate_limits((await ask(client)).headers)
    assert (minute.limit, minute.remaining, minute.window_ms) == (10, 9, None)
    assert isinstance(day, LimitReading)
    assert (day.limit, day.remaining, day.window_ms) == (500, 499, DAY_MS)


async def test_each_model_may_have_its_own_limits(simulator: SimulatorProcess, client: httpx.AsyncClient) -> None:
    simulator.change(requests_per_minute=1, limit_window="sliding", limits_per_model=True)
    assert [(await ask(client, model)).status_code for model in ("sim-small", "sim-large", "sim-small")] == [
        200,
        200,
        429,
    ]
    counts = simulator.stats()["limits"]
    assert (counts["accepted"], counts["refused"]) == (2, 1)
    small, large = counts["models"]["sim-small"], counts["models"]["sim-large"]
    assert (small["accepted"], small["refused"], large["accepted"], large["refused"]) == (1, 1, 1, 0)
