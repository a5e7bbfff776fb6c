"""A held credential: made once for many calls, renewed in time, and never a reason to wait for two makings."""

import asyncio
from collections.abc import Callable

import pytest

from providers.credentials.bearer import bearer
from providers.credentials.held import REST_S, Fresh, Held
from providers.failure import ErrorClass, Failure

REFUSED = Failure(ErrorClass.AUTH, "no")


class Maker:
    """Makes numbered credentials when it is let to, by a clock that the test sets."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.begun = 0
        self.let_go = asyncio.Event()
        self.let_go.set()
        self.refuses = False

    async def __call__(self) -> Fresh[int] | Failure:
        self.begun += 1
        number = self.begun
        await self.let_go.wait()
        return REFUSED if self.refuses else Fresh(number, self.now_s + 60, self.now_s + 100)


@pytest.fixture
async def maker() -> Maker:
    return Maker()


@pytest.fixture
async def held(maker: Maker) -> Held[int]:
    return Held(maker, lambda: maker.now_s)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something holds."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to hold")


async def test_many_calls_at_once_share_one_making(maker: Maker, held: Held[int]) -> None:
    maker.let_go.clear()
    waiting = [asyncio.ensure_future(held.get()) for _ in range(50)]
    await until(lambda: maker.begun == 1)
    maker.let_go.set()
    assert await asyncio.gather(*waiting) == [1] * 50
    assert await held.get() == 1
    assert maker.begun == 1


async def test_it_is_renewed_beside_the_calls_while_it_is_still_good(maker: Maker, held: Held[int]) -> None:
    assert await held.get() == 1
    maker.now_s += 59
    assert await held.get() == 1
    assert maker.begun == 1
    maker.let_go.clear()
    maker.now_s += 2
    assert [await held.get() for _ in range(5)] == [1] * 5  # nobody waits
    await until(lambda: maker.begun == 2)
    maker.let_go.set()
    await asyncio.sleep(0)
    await until(lambda: held._making is None)
    assert await held.get() == 2
    assert maker.begun == 2


async def test_one_that_has_ended_is_not_handed_out(maker: Maker, held: Held[int]) -> None:
    assert await held.get() == 1
    maker.now_s += 101
    assert await held.get() == 2


async def test_a_renewal_that_fails_leaves_the_old_one_in_use_until_its_end(maker: Maker, held: Held[int]) -> None:
    assert await held.get() == 1
    maker.refuses = True
    maker.now_s += 61
    assert await held.get() == 1
    await until(lambda: maker.begun == 2 and held._making is None)
    maker.now_s += REST_S - 1
    assert await held.get() == 1
    assert maker.begun == 2  # it rests
    maker.now_s += 1
    assert await held.get() == 1
    await until(lambda: maker.begun == 3 and held._making is None)
    maker.now_s += 40
    assert await held.get() == REFUSED


async def test_a_failure_reaches_everybody_who_waits_and_the_next_call_tries_again(
    maker: Maker, held: Held[int]
) -> None:
    maker.refuses = True
    maker.let_go.clear()
    waiting = [asyncio.ensure_future(held.get()) for _ in range(5)]
    await until(lambda: maker.begun == 1)
    maker.let_go.set()
    assert await asyncio.gather(*waiting) == [REFUSED] * 5
    maker.refuses = False
    assert await held.get() == 2


async def test_who_gives_up_waiting_does_not_end_it_for_the_others(maker: Maker, held: Held[int]) -> None:
    maker.let_go.clear()
    leaving, staying = asyncio.ensure_future(held.get()), asyncio.ensure_future(held.get())
    await until(lambda: maker.begun == 1)
    leaving.cancel()
    await until(leaving.cancelled)
    maker.let_go.set()
    assert await staying == 1
    assert maker.begun == 1


def test_a_token_is_renewed_five_minutes_before_its_end_or_in_the_middle_of_a_short_life() -> None:
    long, short = bearer("t", now_s=0, ends_at_s=3_600), bearer("t", now_s=0, ends_at_s=100)
    assert (long.renew_at_s, long.ends_at_s) == (3_300, 3_585)
    assert (short.renew_at_s, short.ends_at_s) == (50, 85)
    assert long.secret == {"authorization": "Bearer t"}


@pytest.mark.parametrize("token", ["", "a\nb", "tökén"])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="unusable"):
        bearer(token, now_s=0, ends_at_s=1)


def test_a_credential_is_never_printed() -> None:
    assert "abc.def" not in repr(bearer("abc.def", now_s=0, ends_at_s=3_600))
