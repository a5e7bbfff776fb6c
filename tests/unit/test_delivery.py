"""What follows from a try of a webhook, and the room that deliveries have beside one another."""

import pytest

from router.config import parse_config
from router.delivery import Delivered, GaveUp, Gone, RetryLater, SendError, Sent, judge
from router.delivery_room import PER_KEY, PER_ORIGIN, PER_RECEIVER, TOTAL, DeliveryRoom, Place

SCHEDULE = (5_000, 300_000)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    assert judge(Sent(status), 7, SCHEDULE, jitter=0) == Delivered()


def test_410_is_the_end_of_the_endpoint_at_once() -> None:
    assert judge(Sent(410), 0, SCHEDULE, jitter=0) == Gone()


@pytest.mark.parametrize(
    "sent", [Sent(301), Sent(302), Sent(400), Sent(404), Sent(500), *(Sent(error=e) for e in SendError)]
)
def test_anything_else_follows_the_schedule_to_its_end(sent: Sent) -> None:
    assert judge(sent, 0, SCHEDULE, jitter=0) == RetryLater(5_000)
    assert judge(sent, 1, SCHEDULE, jitter=0) == RetryLater(300_000)
    assert judge(sent, 2, SCHEDULE, jitter=0) == GaveUp()
    assert judge(sent, 0, (), jitter=0) == GaveUp()


def test_jitter_adds_at_most_a_tenth() -> None:
    assert judge(Sent(500), 1, SCHEDULE, jitter=0.999) == RetryLater(329_970)


def test_a_busy_receiver_is_given_the_time_that_it_asks_for_and_never_less_than_the_schedule() -> None:
    assert judge(Sent(429, retry_after_ms=60_000), 0, SCHEDULE, jitter=0) == RetryLater(60_000)
    assert judge(Sent(503, retry_after_ms=1_000), 0, SCHEDULE, jitter=0) == RetryLater(5_000)
    assert judge(Sent(503, retry_after_ms=10**12), 0, SCHEDULE, jitter=0) == RetryLater(86_400_000)
    assert judge(Sent(500, retry_after_ms=60_000), 0, SCHEDULE, jitter=0) == RetryLater(5_000)


def place(receiver: int, origin: int = 0, key: int = 0) -> Place:
    return Place(receiver.to_bytes(16), origin.to_bytes(16), key.to_bytes(16))


def entered(room: DeliveryRoom, places: list[Place]) -> int:
    return sum(room.enter(each) for each in places)


def test_no_url_server_or_key_takes_all_the_room() -> None:
    assert entered(DeliveryRoom(), [place(1)] * 100) == PER_RECEIVER
    assert entered(DeliveryRoom(), [place(n) for n in range(100)]) == PER_ORIGIN
    assert entered(DeliveryRoom(), [place(n, n) for n in range(100)]) == PER_KEY
    assert entered(DeliveryRoom(), [place(n, n, n) for n in range(100)]) == TOTAL


def test_room_that_was_left_is_room_again() -> None:
    room = DeliveryRoom()
    assert entered(room, [place(1)] * 5) == PER_RECEIVER
    assert room.full_receivers() == [place(1).receiver]
    copy = room.copy()
    room.leave(place(1))
    assert room.full_receivers() == []
    assert not copy.enter(place(1))
    assert room.enter(place(1))
    for _ in range(PER_RECEIVER):
        room.leave(place(1))
    assert (room.total, room.receivers, room.origins, room.keys) == (0, {}, {}, {})


def test_the_schedule_is_the_published_one_and_may_be_written_in_any_unit() -> None:
    default = parse_config({}, {}).webhooks
    assert [ms // 1000 for ms in default.retry_schedule_ms] == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert (default.timeout_ms, default.allow_private_targets, default.allow_high_ports) == (15_000, False, False)
    written = parse_config({"webhooks": {"retry_schedule_s": [1, "500ms", "5m"], "timeout": 2}}, {}).webhooks
    assert (written.retry_schedule_ms, written.timeout_ms) == ((1_000, 500, 300_000), 2_000)
    environ = {"LANEWAY_WEBHOOKS__RETRY_SCHEDULE_S": "1, 2m", "LANEWAY_WEBHOOKS__ALLOW_PRIVATE_TARGETS": "true"}
    overridden = parse_config({}, environ).webhooks
    assert (overridden.retry_schedule_ms, overridden.rules().allow_private) == ((1_000, 120_000), True)
    assert parse_config({"webhooks": {"retry_schedule_s": []}}, {}).webhooks.retry_schedule_ms == ()
