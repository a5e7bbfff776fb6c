"""Replies: how a worker answers the API process that waits for a job, over Redis pub/sub, which keeps nothing.

Each API process hears one channel. A message is one line of JSON, then the bytes that it speaks of:

    {"job": "<32 hex digits>", "kind": "event" | "end", "seq": N, "n": attempt}\\n<bytes>

`event` carries one streamed event's `data`; `seq` counts them from 0 within the attempt, so a lost one is noticed.
`end` says that the job has ended and SQL knows how: the answer follows when it is small enough, else the API reads it
there. A sender learns how many processes heard it: none means that the one that asked is gone.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum

import orjson
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from store.keyspace import reply_channel

MOST_BODY_BYTES = 1 << 20
"""Larger answers are not sent along: the API reads them from SQL."""
_CONNECT_S = 2.0
_SEND_S = 2.0
_log = logging.getLogger(__name__)


class ReplyKind(StrEnum):
    """What a reply brings."""

    EVENT = "event"
    END = "end"
    LISTENING = "listening"
    """From ourselves: the channel is heard (again), and whatever was said before is lost."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One message to a waiting API process."""

    kind: ReplyKind
    job_id: bytes = b""
    n: int = 0
    """The attempt that speaks."""
    seq: int = 0
    """The number of the event within its attempt, from 0; for `end`, how many events there were."""
    state: str = ""
    """For `end`: the job's state."""
    body: bytes | None = None
    """The event's data, or the answer; None when it is to be read from SQL."""


class Replies:
    """Sends and hears replies; one per process."""

    def __init__(self, state_url: str) -> None:
        self._redis = redis.Redis.from_url(
            state_url,
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=None,  # a listener waits for ever; every send has its own deadline
            retry=Retry(NoBackoff(), 0),
        )

    async def send(self, to: bytes, reply: Reply) -> int | None:
        """Send a reply to an API process; returns how many heard it, None when Redis cannot be used. Never raises."""
        head = {
            "job": reply.job_id.hex(),
            "kind": reply.kind,
            "n": reply.n,
            "seq": reply.seq,
            "state": reply.state,
            "body": reply.body is not None,
        }
        data = orjson.dumps(head) + b"\n" + (reply.body or b"")
        try:
            async with asyncio.timeout(_SEND_S):
                return int(await self._redis.publish(reply_channel(to), data))
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("reply for job %s not sent: %s", reply.job_id.hex(), type(error).__name__)
            return None

    async def listen(self, me: bytes) -> AsyncIterator[Reply]:
        """Yield the replies to this process until cancelled; `listening` comes first and after every interruption."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=False) as channel:
                    await channel.subscribe(reply_channel(me))
                    async for message in channel.listen():
                        if message["type"] == "subscribe":
                            yield Reply(ReplyKind.LISTENING)
                        elif message["type"] == "message":
                            yield _decode(message["data"])
            except (RedisError, OSError) as error:
                _log.info("reply channel lost (%s), listening again in 0.2 s", type(error).__name__)
                await asyncio.sleep(0.2)

    async def ping(self) -> bool:
        """Tell whether Redis answers within two seconds."""
        try:
            async with asyncio.timeout(_SEND_S):
                return bool(await self._redis.ping())
        except (RedisError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _decode(data: bytes) -> Reply:
    head, _, body = data.partition(b"\n")
    said = orjson.loads(head)
    return Reply(
        kind=ReplyKind(said["kind"]),
        job_id=bytes.fromhex(said["job"]),
        n=said["n"],
        seq=said["seq"],
        state=said["state"],
        body=body if said["body"] else None,
    )
