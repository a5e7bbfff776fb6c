"""The room for large bodies: what many of them hold together is bounded, and none waits for ever."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from providers.client_body import read_body
from providers.client_room import FREE_BYTES, BodyRoom

KIB = 1 << 10
MIB = 1 << 20
LIMIT = 32 * MIB


class Bodies:
    """Bodies that are sent as soon as somebody reads on, and what of them is in memory."""

    def __init__(self, room_bytes: int) -> None:
        self.room = BodyRoom(room_bytes)
        self.held_bytes = 0
        self.most_bytes = 0
        self.ended: list[int] = []

    async def read(self, number: int, size_bytes: int) -> int:
        sent = 0

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < size_bytes:
                await asyncio.sleep(0)
                piece = bytes(min(64 * KIB, size_bytes - sent))
                sent += len(piece)
                self.held_bytes += len(piece)
                self.most_bytes = max(self.most_bytes, self.held_bytes)
                yield piece

        try:
            body = await read_body(pieces(), "", LIMIT, self.room)
        finally:
            self.held_bytes -= sent
        self.ended.append(number)
        return len(body)


async def test_all_bodies_are_read_whole_and_hold_no_more_than_the_room_and_one_of_them() -> None:
    bodies, sizes = Bodies(room_bytes=8 * MIB), [(4 + number % 3 * 4) * MIB for number in range(12)]
    read = await asyncio.gather(*(bodies.read(number, size) for number, size in enumerate(sizes)))
    assert read == sizes
    assert bodies.most_bytes <= 8 * MIB + max(sizes) + len(sizes) * (FREE_BYTES + 64 * KIB)
    assert bodies.most_bytes < sum(sizes) / 2


async def test_a_small_body_does_not_wait_for_large_ones() -> None:
    bodies = Bodies(room_bytes=0)
    large = [asyncio.create_task(bodies.read(number, 20 * MIB)) for number in range(3)]
    small = [asyncio.create_task(bodies.read(number, FREE_BYTES)) for number in range(3, 6)]
    await asyncio.gather(*large, *small)
    assert sorted(bodies.ended[:3]) == [3, 4, 5]


@pytest.mark.parametrize("cancelled", [0, 1, 2], ids=["the one beyond", "one that waits", "the last"])
async def test_a_body_that_is_given_up_leaves_its_room_to_the_others(cancelled: int) -> None:
    bodies = Bodies(room_bytes=2 * MIB)
    reading = [asyncio.create_task(bodies.read(number, 6 * MIB)) for number in range(3)]
    for _ in range(80):
        await asyncio.sleep(0)
    assert bodies.ended == []
    reading[cancelled].cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    assert sorted(bodies.ended) == [number for number in range(3) if number != cancelled]
    assert bodies.held_bytes == 0
    assert vars(bodies.room)["_left_bytes"] == 2 * MIB
