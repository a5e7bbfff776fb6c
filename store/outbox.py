"""The outbox of one process: pub/sub messages, sent in the order in which they were put, many to a round trip.

While one group is on its way, what is put meanwhile waits and forms the next: an idle outbox sends at once, a busy one
needs few round trips and one connection, however many streams run.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import redis.asyncio as redis
from redis.exceptions import RedisError

_MOST_MESSAGES = 256
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Message:
    channel: str
    data: bytes
    heard: "asyncio.Future[int | None]"


class Outbox:
    """Publishes. Use it on one event loop."""

    def __init__(self, connection: "redis.Redis", send_s: float) -> None:
        self._redis = connection
        self._send_s = send_s
        self._waiting: list[_Message] = []
        self._sending: asyncio.Task[None] | None = None

    def put(self, channel: str, data: bytes) -> "asyncio.Future[int | None]":
        """Send a message as soon as it can be; the future tells how many heard it, None when Redis cannot be used."""
        loop = asyncio.get_running_loop()
        message = _Message(channel, data, loop.create_future())
        self._waiting.append(message)
        if self._sending is None:
            self._sending = loop.create_task(self._send_all())
        return message.heard

    async def close(self) -> None:
        """Wait until everything that was put is sent, or given up."""
        if self._sending is not None:
            await asyncio.wait([self._sending])

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:_MOST_MESSAGES], self._waiting[_MOST_MESSAGES:]
                counts = await self._publish(group)
                for message, count in zip(group, counts, strict=True):
                    if not message.heard.done():
                        message.heard.set_result(count if isinstance(count, int) else None)
        finally:
            self._sending = None

    async def _publish(self, group: list[_Message]) -> list[Any]:
        """Send a group; returns the number of hearers of each message, or something that is no number."""
        try:
            async with asyncio.timeout(self._send_s):
                if len(group) == 1:
                    return [await self._redis.publish(group[0].channel, group[0].data)]
                pipeline = self._redis.pipeline(transaction=False)
                for message in group:
                    pipeline.publish(message.channel, message.data)
                return list(await pipeline.execute(raise_on_error=False))
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("%d messages to API processes not sent: %s", len(group), type(error).__name__)
            return [None] * len(group)
