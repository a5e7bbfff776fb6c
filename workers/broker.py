"""dramatiq's stock broker and worker with one small consumer: it fetches only while its lane has room, and waits for
messages by a blocking peek instead of polling.

`BLMOVE queue queue LEFT LEFT` on a list of one takes the head and puts it back: it blocks until there is a message and
leaves the order as it was. Stock polling costs 287 ms at the median on an idle queue, the peek under 2 ms.
Consumers never touch dramatiq's delay queues: nothing is ever delayed in Redis.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed
from redis.backoff import NoBackoff
from redis.retry import Retry

from store.keyspace import NAMESPACE, queue_held, queue_list
from store.state_redis import noticing_silence
from workers.message import read_message

_PEEK_S = 1.5
_VAIN_PEEKS = 4
"""After so many one fetches all the same: that tells dramatiq on the other hosts that this one lives."""
_SOCKET_S = 5.0  # well over a peek; a consumer whose Redis is silently gone is back so much sooner
_CONNECT_S = 2.0
_PUBLISH_S = 1.0
_MOST_CONNECTIONS = 10_000  # every queue's consumer holds one while it peeks
_ROOM_S = 0.5
_IDLE_S = 60.0
_STOPPING_S = 0.05  # dramatiq asks its consumers on until its other threads have ended
_HEARTBEAT_MS = 30_000
_log = logging.getLogger(__name__)

WaitForRoom = Callable[[str, float], bool]
"""`(queue, seconds) -> has room`, blocking the calling thread at most so long."""


def create_broker(url: str, wait_for_room: WaitForRoom | None = None) -> "LanewayBroker":
    """Make a broker: with `wait_for_room` for a worker, without it for a process that only publishes.

    Who only publishes never waits for a message, and does not wait long for Redis: callers are waiting for it.
    """
    publishes = wait_for_room is None
    client = redis.Redis.from_url(
        url,
        max_connections=_MOST_CONNECTIONS,
        socket_timeout=_PUBLISH_S if publishes else _SOCKET_S,
        socket_connect_timeout=_PUBLISH_S if publishes else _CONNECT_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **noticing_silence(url),
    )
    return LanewayBroker(client, wait_for_room)


class LanewayBroker(RedisBroker):
    """The stock Redis broker with our consumers. No middleware: no retries, time limits or delays of dramatiq's."""

    def __init__(self, client: redis.Redis, wait_for_room: WaitForRoom | None) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            client=client, middleware=[], namespace=NAMESPACE, heartbeat_timeout=_HEARTBEAT_MS
        )
        self._wait_for_room = wait_for_room
        self.stopping = threading.Event()

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Make a consumer that holds at most one message that is not acknowledged."""
        if queue_name in self.delay_queues or self._wait_for_room is None:
            return IdleConsumer(self.stopping)
        stock = super().consume(queue_name, 1, timeout)
        return PeekingConsumer(self, stock, queue_name, self._wait_for_room)


class IdleConsumer(Consumer):
    """Consumes nothing and costs nothing."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def __next__(self) -> None:
        if self._stopping.wait(_IDLE_S):
            time.sleep(_STOPPING_S)


class PeekingConsumer(Consumer):
    """Waits for room, then for a message, then fetches it the stock way."""

    def __init__(self, broker: LanewayBroker, stock: Any, queue_name: str, wait_for_room: WaitForRoom) -> None:
        self._broker = broker
        self._stock = stock
        self._queue_name = queue_name
        self._wait_for_room = wait_for_room
        self._free = threading.Event()
        self._free.set()
        self._vain_peeks = 0

    def __next__(self) -> MessageProxy | None:
        if self._broker.stopping.is_set():
            time.sleep(_STOPPING_S)
            return None
        if not self._free.wait(_ROOM_S) or not self._wait_for_room(self._queue_name, _ROOM_S):
            return None
        try:
            if not self._vain_peeks and (fetched := self._broker.do_fetch(self._queue_name, 1)):
                return self._proxy(fetched[0])
            self._peek()
            return None
        except redis.RedisError as error:  # also of one that is full, or a replica: it may take writes again
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]

    def _peek(self) -> None:
        """Wait for a message. What is not there after one wait is not fetched either, but waited for again."""
        name = queue_list(self._queue_name)
        is_there = self._broker.client.blmove(name, name, _PEEK_S, "LEFT", "LEFT") is not None  # type: ignore[arg-type]
        self._vain_peeks = 0 if is_there else (self._vain_peeks + 1) % _VAIN_PEEKS

    def _proxy(self, data: bytes | None) -> MessageProxy | None:
        if data is None:  # the id was in the list, its message is gone: SQL publishes again what mattered
            return None
        message = read_message(data, self._queue_name)
        if message is None:
            self._drop()
            return None
        self._free.clear()
        return MessageProxy(message)

    def _drop(self) -> None:
        """Forget what was fetched and is no message of ours: left as it is, it would come again for ever."""
        _log.warning("a message in the queue %s was not written by Laneway and is dropped", self._queue_name)
        for message_id in self._broker.client.smembers(queue_held(self._queue_name, self._broker.broker_id)):
            self._broker.do_ack(self._queue_name, message_id)

    def ack(self, message: MessageProxy) -> None:
        try:
            self._stock.ack(message)
        except redis.RedisError as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
        finally:
            self._free.set()

    def nack(self, message: MessageProxy) -> None:
        try:
            self._stock.nack(message)
        except redis.RedisError as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
        finally:
            self._free.set()

    def requeue(self, messages: Any) -> None:
        self._stock.requeue(messages)
