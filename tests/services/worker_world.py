"""A worker in the test's own process, with a real database, Valkey and simulator, and an ear on the reply channel."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from providers.catalogue import load_catalogue
from providers.simulator.process import SimulatorProcess
from providers.simulator.settings import Settings
from router.config import parse_config
from router.routes import build_routes
from store.contents import DatabaseContents
from store.database import Database, open_database
from store.ids import MASTER_KEY_ID, new_id
from store.jobs import JobRow, get_job
from store.replies import Replies, Reply, ReplyKind
from store.submission import NewJob, submit
from tests.patience import PATIENCE_S
from workers.calling import CallRules
from workers.process import WorkerDependencies, run_worker
from workers.settings import WorkerSettings

FAST = WorkerSettings(lease_ms=300_000, renew_ms=500, sweep_ms=100, watch_ms=100, grace_ms=1_000, rescue_jitter_ms=100)
PRICE = {"input": "0.15", "output": "0.60"}


@dataclass
class Ear:
    """One API process's channel, as a test hears it."""

    me: bytes = field(default_factory=new_id)
    heard: list[Reply] = field(default_factory=list)
    arrived_s: list[float] = field(default_factory=list)
    """Loop times, beside `heard`."""

    def of(self, job_id: bytes) -> list[Reply]:
        return [each for each in self.heard if each.job_id == job_id]

    def end(self, job_id: bytes) -> Reply | None:
        return next((each for each in self.of(job_id) if each.kind is ReplyKind.END), None)

    def chunks(self, job_id: bytes) -> list[Reply]:
        return [each for each in self.of(job_id) if each.kind is ReplyKind.EVENT]

    def text(self, job_id: bytes) -> str:
        """The text of the chunks, in the order in which they came."""
        choices = [choice for each in self.chunks(job_id) for choice in orjson.loads(each.body or b"")["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)


@dataclass
class World:
    """What a test works with."""

    database: Database
    simulator: SimulatorProcess
    state_url: str
    stop: asyncio.Event
    worker: "asyncio.Task[None]"

    async def submit(self, reply_to: bytes | None, *, model: str = "sim/sim-small", **changes: Any) -> bytes:
        """Make a streamed job; the worker's next sweep finds it. `changes` are fields of the job."""
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "a" * 100}]}
        fields: dict[str, Any] = {
            "id": new_id(), "key_id": MASTER_KEY_ID, "endpoint": "/v1/chat/completions", "route": model,
            "queue": "sim", "body": orjson.dumps(body), "deadline_ms": 600_000, "stream": True, "reply_to": reply_to,
        }  # fmt: skip
        new = NewJob(**(fields | changes))
        await self.database.write(_submit, new)
        return new.id

    async def job(self, job_id: bytes) -> JobRow:
        found = await self.database.read(get_job, (MASTER_KEY_ID,), job_id)
        assert found is not None
        return found

    async def ended(self, job_id: bytes) -> JobRow:
        """Wait until a job and its last attempt have ended."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                row = await self.job(job_id)
                if row.finished_at_ms is not None and all(each.ended_at_ms for each in row.attempts):
                    return row
                await asyncio.sleep(0.02)

    def bill(self) -> list[dict[str, Any]]:
        return list(self.simulator.bill())


def _submit(connection: Any, now_ms: int, new: NewJob) -> None:
    submit(connection, now_ms, [new], marked=False)


@asynccontextmanager
async def world(
    url: str,
    redis_url: str,
    simulator: SimulatorProcess,
    *,
    config: dict[str, Any] | None = None,
    seen_as: Callable[[Database], Database] = lambda database: database,
    **settings: Any,
) -> AsyncIterator[World]:
    """Run one worker on a migrated database; `settings` are the simulator's for this test.

    `config` is laid over the configuration, section by section: the simulator is its provider `sim`. `seen_as` is put
    around the worker's database.
    """
    simulator.reset()
    simulator.change(**(Settings().model_dump() | settings))  # a test before this one may have changed any of them
    sections = dict(config or {})
    sim = {"type": "simulator", "base_url": simulator.url, "prices": {"sim-small": PRICE}}
    providers = dict(sections.pop("providers", {}))
    providers["sim"] = sim | providers.get("sim", {})
    parsed = parse_config({"providers": providers, **sections}, {})
    database = open_database(url)
    state_url = f"{redis_url.removesuffix('/0')}/1"
    needs = WorkerDependencies(
        database=seen_as(database),
        contents=DatabaseContents(database),
        rules=CallRules.of(build_routes(parsed, load_catalogue(), {}), parsed.routing),
        broker_url=redis_url,
        state_url=state_url,
        pepper=b"pepper-of-the-tests",
        settings=FAST,
    )
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(needs, stop))
    try:
        yield World(database, simulator, state_url, stop, worker)
    finally:
        stop.set()
        await worker
        await database.close()


@asynccontextmanager
async def listening(state_url: str) -> AsyncIterator[Ear]:
    """Hear one reply channel."""
    ear, replies, ready = Ear(), Replies(state_url), asyncio.Event()

    async def hear() -> None:
        async for reply in replies.listen(ear.me):
            ready.set()
            if reply.kind is not ReplyKind.LISTENING:
                ear.heard.append(reply)
                ear.arrived_s.append(asyncio.get_running_loop().time())

    task = asyncio.create_task(hear())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ready.wait()
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await replies.close()


async def until(condition: Callable[[], bool], *, seconds: float = PATIENCE_S) -> float:
    """Wait for a condition; returns how long it took."""
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return loop.time() - started_s
