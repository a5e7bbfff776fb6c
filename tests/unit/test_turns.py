"""Turns are shared by weight, and nobody saves them up."""

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from router.turns import MOST_LAG, Share, Turns

WEIGHTS = st.lists(st.integers(1, 9), min_size=2, max_size=6)
BEFORE = st.integers(0, 10**9)


def key(number: int) -> bytes:
    return bytes([number]) * 16


def serve(turns: Turns, times: int, jobs: int = 64) -> list[bytes]:
    """Give the key whose turn it is so many jobs each time; returns the keys in order."""
    served = []
    for _ in range(times):
        next_key = turns.next()
        assert next_key is not None
        served.append(next_key)
        turns.took(jobs)
    return served


def lived_through(weights: Sequence[int], before: Sequence[int], rounds: int) -> Counter[bytes]:
    """Serve one slice in each hand-out, as on a busy server; what is remembered goes from one to the next."""
    served = dict(zip(map(key, range(len(weights))), before, strict=True))
    count: Counter[bytes] = Counter()
    for _ in range(rounds):
        turns = Turns(Share(each, weights[each[0]], served[each]) for each in served)
        count.update(serve(turns, 1))
        served |= turns.served
    return count


@given(WEIGHTS)
def test_over_time_everybody_gets_a_share_by_weight(weights: list[int]) -> None:
    rounds = 40 * sum(weights)
    count = lived_through(weights, [0] * len(weights), rounds)
    for number, weight in enumerate(weights):
        assert abs(count[key(number)] - 40 * weight) <= len(weights)


@given(WEIGHTS, st.lists(BEFORE, min_size=6, max_size=6))
def test_whatever_was_before_soon_counts_no_more(weights: list[int], before: list[int]) -> None:
    settling = MOST_LAG * sum(weights) // 64_000 + len(weights)
    count = lived_through(weights, before[: len(weights)], settling + 40 * sum(weights))
    for number, weight in enumerate(weights):
        assert 40 * weight - len(weights) <= count[key(number)] <= 40 * weight + settling + len(weights)


def test_a_key_that_can_be_given_nothing_leaves_the_others_their_turns() -> None:
    turns = Turns([Share(key(1), 1, 0), Share(key(2), 1, 5)])
    turns.took(0)
    assert serve(turns, 3) == [key(2)] * 3
    turns.took(0)
    assert turns.next() is None
    assert key(1) not in turns.served


def test_a_key_alone_uses_up_nobodys_turns() -> None:
    turns = Turns([Share(key(1), 1, 0)])
    serve(turns, 3)
    assert turns.served == {}


def test_keys_that_lag_equally_go_in_the_order_in_which_they_were_served() -> None:
    shares = [Share(key(1), 1, 9), Share(key(2), 1, 4), Share(key(3), 1, 10 * MOST_LAG)]
    assert serve(Turns(shares), 2) == [key(2), key(1)]


def test_nobody_waits_where_nothing_waits() -> None:
    assert Turns([]).next() is None
