"""A breaker opens at a share of failures among enough calls of its window, or after some in a row."""

from hypothesis import given
from hypothesis import strategies as st

from router.breaker import Breaker, BreakerPolicy

POLICY = BreakerPolicy(errors_permille=500, calls=8, window_ms=1_000, consecutive=4)

Ends = list[tuple[int, bool]]
"""Calls that ended: how long after the one before, and whether it failed."""


def opened_at(ends: Ends, policy: BreakerPolicy = POLICY) -> list[int]:
    """The indexes of the failures at which a breaker opens."""
    breaker, now, found = Breaker(policy), 0, []
    for n, (gap, is_failure) in enumerate(ends):
        now += gap
        if not is_failure:
            breaker.succeeded(now)
        elif breaker.failed(now):
            found.append(n)
    return found


def expected(ends: Ends, policy: BreakerPolicy = POLICY) -> list[int]:
    """The same by the definition, looking at the whole past each time."""
    now, since, found = 0, 0, []
    times = [now := now + gap for gap, _ in ends]
    for n, (_, is_failure) in enumerate(ends):
        seen = [ends[i][1] for i in range(since, n + 1) if times[i] > times[n] - policy.window_ms]
        run = [failed for _, failed in ends[since : n + 1]][-policy.consecutive :]
        in_a_row = len(run) == policy.consecutive and all(run)
        too_many = len(seen) >= policy.calls and sum(seen) * 1_000 >= len(seen) * policy.errors_permille
        if is_failure and (in_a_row or too_many):
            found.append(n)
            since = n + 1
    return found


@given(st.lists(st.tuples(st.sampled_from([0, 1, 100, 300, 999, 1_000, 5_000]), st.booleans()), max_size=60))
def test_it_opens_exactly_where_the_definition_says(ends: Ends) -> None:
    assert opened_at(ends) == expected(ends)


def test_it_opens_after_some_failures_in_a_row_however_far_apart() -> None:
    assert opened_at([(60_000, True)] * 4) == [3]
    assert opened_at([(60_000, True)] * 3 + [(1, False)] + [(60_000, True)] * 3) == []


def test_it_opens_at_half_of_enough_calls_and_not_below() -> None:
    assert opened_at([(1, False), (1, True)] * 4) == [7]
    assert opened_at([(1, False), (1, False), (1, True)] * 20) == []


def test_calls_older_than_the_window_do_not_count() -> None:
    assert opened_at([(1, False), (1, True)] * 3 + [(1_000, False), (1, True)]) == []


def test_once_open_it_counts_anew() -> None:
    assert opened_at([(1, True)] * 11) == [3, 7]
