"""The sabotages of what goes out of a process (calls, posts, messages) and of its sweep."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest
from sqlalchemy import Connection

import store.leases
import workers.sweeper
from providers.client import ProviderClient
from providers.completion import Target
from providers.dialects import WireRequest, WireResponse
from store.messages import JobsMessage
from tests.faults.failpoints import put
from tests.faults.schedules_sabotage import lease_on_job
from workers.claimer import Claimer
from workers.submitter import Submitter

_FOREVER_MS = 10**7


def _no_total_timeout() -> None:
    """A call may take as long as bytes of its answer arrive."""
    original = ProviderClient.call

    async def call(self: ProviderClient, target: Target, *args: Any, **kwargs: Any) -> Any:
        patient = replace(target, total_timeout_ms=_FOREVER_MS)
        return await original(self, patient, *args, **(kwargs | {"timeout_ms": _FOREVER_MS}))

    put(ProviderClient, "call", call)


def _follow_redirects() -> None:
    """Whoever answers a call or a webhook says where it goes next, with all that it carries."""
    send, post = ProviderClient._send, aiohttp.ClientSession.post

    async def follow(self: ProviderClient, target: Target, wire: WireRequest, *args: Any) -> Any:
        answer = await send(self, target, wire, *args)
        if not isinstance(answer, WireResponse) or "location" not in answer.headers:
            return answer
        return await send(self, target, replace(wire, url=urljoin(wire.url, answer.headers["location"])), *args)

    def post_on(self: aiohttp.ClientSession, url: Any, **kwargs: Any) -> Any:
        return post(self, url, **(kwargs | {"allow_redirects": True}))

    put(ProviderClient, "_send", follow)
    put(aiohttp.ClientSession, "post", post_on)


def _publish_before_commit() -> None:
    """A message is sent before the row that it names is there."""
    original = Submitter._write

    async def write(self: Submitter, group: Sequence[Any]) -> None:
        queues = {each.new.queue for each in group}
        now_ms = time.time_ns() // 1_000_000
        ids = {queue: tuple(each.new.id for each in group if each.new.queue == queue) for queue in queues}
        await self._publisher.send([JobsMessage(queue, ids[queue], now_ms) for queue in queues])
        await original(self, group)

    put(Submitter, "_write", write)


def _ack_late() -> None:
    """A message is acknowledged when the calls that it started have ended, as dramatiq does by itself."""
    original = Claimer._from_thread

    def claim(self: Claimer, claiming: Awaitable[int]) -> None:
        original(self, claiming)
        while self._engine.in_flight:
            time.sleep(0.05)

    put(Claimer, "_from_thread", claim)


def _lease_on_job() -> None:
    """The rescue looks at running jobs and takes their leases for all that there are."""
    lease_on_job(pytest.MonkeyPatch())
    put(workers.sweeper, "rescue", store.leases.rescue)


def _failing_sweep() -> None:
    """One step of every sweep fails."""

    def look_out(_connection: Connection, _now_ms: int) -> None:
        raise RuntimeError("nothing to do is ever found (injected)")

    put(workers.sweeper, "look_out", look_out)


OUTWARD: dict[str, Callable[[], None]] = {
    "no_total_timeout": _no_total_timeout,
    "follow_redirects": _follow_redirects,
    "publish_before_commit": _publish_before_commit,
    "ack_late": _ack_late,
    "lease_on_job": _lease_on_job,
    "failing_sweep": _failing_sweep,
}
