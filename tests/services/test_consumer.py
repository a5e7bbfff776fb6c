"""The consumer of a queue: it waits for messages in Redis, asks little there while none comes, and misses none."""

from collections.abc import Iterator

import pytest
import redis
from dramatiq import Message

import workers.broker
from workers.broker import LanewayBroker, create_broker
from workers.message import RUN

QUEUE = "sim"
VAIN = vars(workers.broker)["_VAIN_PEEKS"]


@pytest.fixture
def broker(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LanewayBroker]:
    """A worker's, whose waits are short."""
    monkeypatch.setattr(workers.broker, "_PEEK_S", 0.01)
    broker = create_broker(redis_url, lambda _queue, _seconds: True)
    broker.declare_queue(QUEUE)
    yield broker
    broker.close()


@pytest.mark.parametrize("waits", range(2 * VAIN))
def test_a_message_is_there_at_once_after_any_number_of_waits_in_vain(broker: LanewayBroker, waits: int) -> None:
    consumer = broker.consume(QUEUE)
    assert [next(consumer) for _ in range(waits)] == [None] * waits
    sent: Message[None] = Message(queue_name=QUEUE, actor_name=RUN, args=([],), kwargs={}, options={})
    broker.enqueue(sent)
    found = next(consumer) or next(consumer)
    assert found is not None
    assert found.message_id == sent.message_id
    consumer.ack(found)
    assert next(consumer) is None


def test_an_empty_queue_is_waited_at_and_seldom_fetched_from(broker: LanewayBroker, redis_url: str) -> None:
    """Each fetch is a write, which Redis syncs to its disk."""
    consumer = broker.consume(QUEUE)
    assert next(consumer) is None
    server = redis.Redis.from_url(redis_url)
    server.config_resetstat()
    for _ in range(2 * VAIN):
        assert next(consumer) is None
    stats = server.info("commandstats")
    server.close()
    assert stats["cmdstat_blmove"]["calls"] == 2 * VAIN
    assert stats["cmdstat_evalsha"]["calls"] == 2


def test_a_queue_of_delayed_messages_is_nothing_to_a_consumer(broker: LanewayBroker) -> None:
    consumer = broker.consume(f"{QUEUE}.DQ")
    broker.stopping.set()
    assert next(consumer) is None
