"""The connection to Redis's state database, for signals and replies: nothing is kept there, so nothing is retried."""

import asyncio

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

_CONNECT_S = 2.0


def connect_state(url: str) -> "redis.Redis":
    """Make a client; it connects when it is first used."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=_CONNECT_S,
        socket_timeout=None,  # a listener waits for ever; every send has its own deadline
        retry=Retry(NoBackoff(), 0),
    )


async def answers(connection: "redis.Redis", within_s: float) -> bool:
    """Tell whether Redis answers within so many seconds."""
    try:
        async with asyncio.timeout(within_s):
            return bool(await connection.ping())
    except (RedisError, OSError, TimeoutError):
        return False
