"""A lane bounds one provider's calls, starts single jobs first, and says when there is room."""

import asyncio
from dataclasses import replace

from store.claim import ClaimedJob
from workers.lane import Lane


def job(number: int, queue: str = "p.batch") -> ClaimedJob:
    return ClaimedJob(
        number.to_bytes(16, "big"), 1, b"k" * 16, None, "/v1/chat/completions", "r", 0, queue, 10, 0, 0, 0, 0
    )


def lane(slots: int) -> tuple[Lane, list[int]]:
    started: list[int] = []
    return Lane(slots, lambda each: started.append(int.from_bytes(each.id, "big"))), started


async def test_no_more_calls_start_than_there_are_slots() -> None:
    subject, started = lane(2)
    subject.add([job(number) for number in range(5)])
    assert started == [0, 1]
    subject.done(job(0))
    assert started == [0, 1, 2]
    assert subject.waiting == 2


async def test_single_jobs_start_before_lines_that_came_earlier() -> None:
    subject, started = lane(1)
    subject.add([job(1), job(2)])
    subject.add([job(3, queue="p")])
    subject.done(job(0))
    subject.done(job(0))
    assert started == [1, 3, 2]


async def test_there_is_room_until_enough_wait_and_again_when_they_started() -> None:
    subject, _ = lane(8)
    assert subject.wait_for_room("p.batch", 0)
    subject.add([job(number) for number in range(10)])
    assert not subject.has_room("p.batch")
    assert not subject.wait_for_room("p.batch", 0)
    subject.done(job(0))
    assert subject.wait_for_room("p.batch", 0)


async def test_a_held_lane_starts_nothing_until_the_longest_hold_is_over() -> None:
    loop = asyncio.get_running_loop()
    started_at: asyncio.Future[float] = loop.create_future()
    subject = Lane(4, lambda _: started_at.set_result(loop.time()))
    begun = loop.time()
    subject.hold("r", 0.05)
    subject.hold("r", 0.01)
    subject.add([job(1)])
    async with asyncio.timeout(60):
        assert await started_at - begun >= 0.049


async def test_closing_gives_back_what_never_started() -> None:
    subject, started = lane(1)
    subject.add([job(1)])
    subject.add([job(2), job(3, queue="p")])
    assert {int.from_bytes(each.id, "big") for each in subject.close()} == {2, 3}
    subject.done(job(0))
    subject.add([job(4)])
    assert started == [1]
    assert [int.from_bytes(each.id, "big") for each in subject.close()] == [4]
    assert not subject.has_room("p.batch")


async def test_unwanted_jobs_are_taken_out_and_the_others_stay_in_order() -> None:
    subject, started = lane(1)
    subject.add([job(number) for number in range(4)])
    assert [each.id[-1] for each in subject.discard(lambda each: each.id[-1] % 2 == 1)] == [1, 3]
    subject.done(job(0))
    assert started == [0, 2]


async def test_waiting_lines_leave_room_for_single_jobs() -> None:
    subject, _ = lane(4)
    subject.add([job(number) for number in range(64)])
    assert not subject.has_room("p.batch")
    assert subject.has_room("p")


async def test_a_held_route_keeps_no_other_waiting() -> None:
    subject, started = lane(8)
    subject.hold("r", 60)
    other = replace(job(99), route="other")
    subject.add([*(job(number) for number in range(20)), other])
    assert started == [99]
    assert subject.has_room("p.batch")
    subject.add([job(number) for number in range(500)])
    assert not subject.has_room("p.batch")


async def test_large_bodies_leave_no_room_until_they_are_done() -> None:
    subject, _ = lane(64)
    large = replace(job(1), body=bytes(65 << 20))
    subject.add([large])
    assert not subject.has_room("p")
    subject.done(large)
    assert subject.has_room("p")


async def test_slots_are_free_for_a_route_that_is_not_held_while_nothing_else_waits() -> None:
    subject, _ = lane(4)
    assert subject.free("r") == 4
    subject.add([job(1, queue="p")])
    assert subject.free("r") == 3
    subject.hold("r", 60)
    assert (subject.free("r"), subject.free("another")) == (0, 3)
    subject.add([job(2, queue="p")])  # waits for the hold's end, and goes first then
    assert subject.free("another") == 0
    subject.close()
    assert subject.free("another") == 0
