"""Work ahead: one piece after the other, while the next is made ready."""

import asyncio

import pytest

from workers.ahead import Ahead, Work


class Pieces:
    """Work that takes until it is let go."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.gates = [asyncio.Event() for _ in range(3)]

    def piece(self, number: int, *, is_taken: bool = True) -> Work:
        async def work() -> bool:
            self.begun.append(number)
            try:
                await self.gates[number].wait()
            finally:
                self.ended.append(number)
            return is_taken

        return work


async def let_run() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_next_piece_is_made_ready_meanwhile_and_begins_after_the_one_before() -> None:
    pieces = Pieces()
    async with Ahead() as ahead:
        assert await ahead.start(pieces.piece(0))
        await let_run()
        assert (pieces.begun, pieces.ended) == ([0], []), "the caller goes on while it is done"
        second = asyncio.create_task(ahead.start(pieces.piece(1)))
        await let_run()
        assert pieces.begun == [0]
        pieces.gates[0].set()
        assert await second
        pieces.gates[1].set()
        assert await ahead.done()
        assert (pieces.begun, pieces.ended) == ([0, 1], [0, 1])
        assert await ahead.done(), "nothing is under way"


async def test_nothing_follows_a_piece_that_was_refused() -> None:
    pieces = Pieces()
    async with Ahead() as ahead:
        pieces.gates[0].set()
        assert await ahead.start(pieces.piece(0, is_taken=False))
        assert not await ahead.start(pieces.piece(1))
    assert pieces.begun == [0]


async def test_an_error_of_a_piece_is_raised_where_the_next_would_begin() -> None:
    async def fail() -> bool:
        raise ValueError("no")

    pieces = Pieces()
    async with Ahead() as ahead:
        assert await ahead.start(fail)
        with pytest.raises(ValueError, match="no"):
            await ahead.start(pieces.piece(1))
    assert pieces.begun == []


async def test_an_error_of_the_caller_lets_the_piece_under_way_end() -> None:
    pieces = Pieces()

    async def fail() -> None:
        async with Ahead() as ahead:
            await ahead.start(pieces.piece(0))
            raise ValueError("no")

    failing = asyncio.create_task(fail())
    await let_run()
    assert not failing.done()
    pieces.gates[0].set()
    with pytest.raises(ValueError, match="no"):
        await failing
    assert pieces.ended == [0]


@pytest.mark.parametrize("is_waiting", [False, True])
async def test_a_cancellation_leaves_nothing_running(*, is_waiting: bool) -> None:
    """Whether the caller is at work itself by then, or waits for the piece."""
    pieces = Pieces()

    async def load() -> None:
        async with Ahead() as ahead:
            await ahead.start(pieces.piece(0))
            await (ahead.start(pieces.piece(1)) if is_waiting else asyncio.Event().wait())

    loading = asyncio.create_task(load())
    await let_run()
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert (pieces.begun, pieces.ended) == ([0], [0])
    assert asyncio.all_tasks() == {asyncio.current_task()}
