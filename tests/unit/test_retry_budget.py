"""A retry budget bounds repetitions by first calls, by time and by what was saved, and puts off what is too much."""

from hypothesis import given
from hypothesis import strategies as st

from router.retry_budget import RetryBudget, RetryBudgetPolicy

Bursts = list[tuple[int, int, int]]
"""How long after the one before, how many first calls, then how many repetitions."""


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 20), st.integers(0, 30)), max_size=12),
    st.integers(1, 1_000),
    st.integers(1, 10),
)
def test_repetitions_never_exceed_their_share_of_first_calls_and_of_time(
    bursts: Bursts, share_permille: int, per_second: int
) -> None:
    budget = RetryBudget(RetryBudgetPolicy(share_permille, per_second))
    now, firsts, made = 0, list[int](), list[int]()
    for gap, calls, repetitions in bursts:
        now += gap
        for _ in range(calls):
            budget.called(now)
            firsts.append(now)
        for _ in range(repetitions):
            delay_ms = budget.delay_ms(now)
            assert delay_ms >= 0
            made.append(now + delay_ms)
    for at in made:
        so_far = sum(each <= at for each in made)
        first_calls = sum(each <= at for each in firsts)
        assert so_far * 1_000 <= per_second * 10_000 + per_second * at + share_permille * first_calls


def test_what_was_saved_goes_at_once_and_then_one_at_a_time() -> None:
    budget = RetryBudget(RetryBudgetPolicy(share_permille=100, per_second=5))
    assert [budget.delay_ms(0) for _ in range(50)] == [0] * 50
    assert [budget.delay_ms(0) for _ in range(3)] == [200, 400, 600]


def test_first_calls_bring_their_share() -> None:
    budget = RetryBudget(RetryBudgetPolicy(share_permille=100, per_second=5))
    for _ in range(50):
        budget.delay_ms(0)
    for _ in range(20):
        budget.called(0)
    assert [budget.delay_ms(0) for _ in range(3)] == [0, 0, 200]


def test_no_more_than_ten_seconds_are_saved() -> None:
    budget = RetryBudget(RetryBudgetPolicy(share_permille=100, per_second=2))
    budget.delay_ms(0)
    for _ in range(1_000):
        budget.called(3_600_000)
    assert [budget.delay_ms(3_600_000) for _ in range(21)] == [0] * 20 + [500]
