"""Peers: plain asyncio loops that make the same calls with nothing durable behind them.

Each runs in a process of its own (`python -P -m bench.peers NAME URL CALLS`) and prints its figures as JSON.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Final

IN_FLIGHT: Final = 200
MODEL: Final = "sim-small"
PEER_CALLS: Final = {"openai": 2_000, "httpx": 2_000, "aiohttp": 10_000}
"""Calls each peer makes: fewer for the slow ones."""

Call = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class PeerResult:
    """What one loop did."""

    name: str
    calls: int
    wall_s: float
    user_s: float
    system_s: float
    peak_rss_bytes: int

    @property
    def calls_per_s(self) -> float:
        """Calls finished per second of wall time."""
        return self.calls / self.wall_s

    @property
    def cpu_us_per_call(self) -> float:
        """User and system time of the loop's process per call, in microseconds."""
        return (self.user_s + self.system_s) * 1e6 / self.calls


def run_peer(name: str, url: str, calls: int) -> PeerResult:
    """Run one peer in a child process; raises subprocess.CalledProcessError when it fails."""
    command = [sys.executable, "-P", "-m", "bench.peers", name, url, str(calls)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return PeerResult(**json.loads(done.stdout))


@asynccontextmanager
async def _openai(url: str) -> AsyncIterator[Call]:
    import openai

    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=120) as client:

        async def call(text: str) -> object:
            return await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}])

        yield call


@asynccontextmanager
async def _httpx(url: str) -> AsyncIterator[Call]:
    import httpx

    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
    async with httpx.AsyncClient(limits=limits, timeout=120, trust_env=False) as client:

        async def call(text: str) -> object:
            reply = await client.post(f"{url}/chat/completions", json=_body(text))
            return reply.raise_for_status().json()

        yield call


@asynccontextmanager
async def _aiohttp(url: str) -> AsyncIterator[Call]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector, raise_for_status=True) as session:

        async def call(text: str) -> object:
            async with session.post(f"{url}/chat/completions", json=_body(text)) as reply:
                return await reply.json()

        yield call


def _body(text: str) -> dict[str, object]:
    return {"model": MODEL, "messages": [{"role": "user", "content": text}]}


async def _loop(call: Call, numbers: Iterator[int]) -> None:
    for number in numbers:
        await call(f"What is {number} plus {number}? Answer in one line.")


async def _measure(name: str, url: str, calls: int) -> PeerResult:
    makers = {"openai": _openai, "httpx": _httpx, "aiohttp": _aiohttp}
    async with makers[name](url) as call:
        await asyncio.gather(*[call("Warm up.") for _ in range(IN_FLIGHT)])
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        numbers = iter(range(calls))
        await asyncio.gather(*[_loop(call, numbers) for _ in range(IN_FLIGHT)])
        wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    scale = 1 if sys.platform == "darwin" else 1_024
    user_s, system_s = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return PeerResult(name, calls, wall_s, user_s, system_s, after.ru_maxrss * scale)


def _main() -> None:
    name, url, calls = sys.argv[1:]
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(asdict(runner.run(_measure(name, url, int(calls))))))


if __name__ == "__main__":
    _main()
