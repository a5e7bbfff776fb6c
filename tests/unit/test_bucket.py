"""Buckets keep their limit in every window, use nearly all of it, and never burst."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.limit import DAY_MS, MINUTE_MS, Demand, Limit, Measure
from router.bucket import Bucket
from router.local_buckets import LocalBuckets
from router.scope import ScopeLimits, provider_scope

ACME = provider_scope("acme")
Calls = list[tuple[int, int]]
"""When a call was let through, and how much it took."""


def run(limit: Limit, demands: list[int], pauses_ms: list[int], *, is_batch: bool = False) -> Calls:
    """Ask for one call after the other as soon as told to, later by a pause where one is given."""
    now_ms, calls = 1_000_000, []
    bucket = Bucket(limit, now_ms)
    for i, demand in enumerate(demands):
        now_ms += pauses_ms[i % len(pauses_ms)]
        bucket.fill(limit, now_ms)
        while bucket.missing(demand, is_batch=is_batch) > 0:
            now_ms += bucket.wait_ms(demand, is_batch=is_batch)
            bucket.fill(limit, now_ms)
        bucket.spend(demand, is_batch=is_batch)
        calls.append((now_ms, demand))
    return calls


def most_in_a_window(calls: Calls, window_ms: int) -> int:
    """The largest sum of any half-open window that begins with a call."""
    sums = [0, *accumulate(size for _, size in calls)]
    most, end = 0, 0
    for begin, (at_ms, _) in enumerate(calls):
        while end < len(calls) and calls[end][0] < at_ms + window_ms:
            end += 1
        most = max(most, sums[end] - sums[begin])
    return most


@given(
    st.integers(1, 3_000),
    st.sampled_from([1_000, MINUTE_MS]),
    st.lists(st.integers(0, 3_000) | st.integers(0, 70_000), min_size=1, max_size=30),
)
def test_no_window_has_more_requests_than_the_limit(amount: int, window_ms: int, pauses_ms: list[int]) -> None:
    limit = Limit(Measure.REQUESTS, amount, window_ms)
    calls = run(limit, [1] * 300, [*pauses_ms, *[0] * 60])
    assert most_in_a_window(calls, window_ms) <= amount


@given(
    st.integers(100, 100_000),
    st.lists(st.integers(0, 500), min_size=1, max_size=150),
    st.lists(st.integers(0, 3_000) | st.integers(0, 70_000), min_size=1, max_size=10),
    st.integers(0, 20),
)
def test_no_window_has_more_tokens_than_the_limit(
    amount: int, permilles: list[int], pauses_ms: list[int], zeros: int
) -> None:
    limit = Limit(Measure.TOKENS, amount)
    calls = run(limit, [amount * each // 1_000 for each in permilles], [*pauses_ms, *[0] * zeros])
    assert most_in_a_window(calls, MINUTE_MS) <= amount


@pytest.mark.parametrize("amount", [600, 601, 1_000, 6_000, 60_000])
@pytest.mark.parametrize("is_batch", [False, True])
def test_a_saturated_limit_of_requests_is_used_to_985_permille(amount: int, is_batch: bool) -> None:
    limit = Limit(Measure.REQUESTS, amount)
    calls = run(limit, [1] * (amount * 3), [0], is_batch=is_batch)
    took_ms = calls[-1][0] - 1_000_000
    assert len(calls) * MINUTE_MS * 1_000 >= 985 * amount * took_ms


@pytest.mark.parametrize("amount", [1, 2, 10, 60, 133, 200, 599])
def test_a_small_limit_of_requests_loses_at_most_one_call_a_minute(amount: int) -> None:
    limit = Limit(Measure.REQUESTS, amount)
    calls = run(limit, [1] * (amount * 10), [0])
    assert calls[-1][0] - 1_000_000 <= 10 * MINUTE_MS * amount / max(amount - 1, 0.9) + 1_000


@given(st.integers(600, 10_000), st.lists(st.integers(0, 25), min_size=1, max_size=20))
def test_asking_a_little_late_loses_nothing(amount: int, pauses_ms: list[int]) -> None:
    """Every ask finds what flowed in since the last: pauses far below the time that fills a bucket cost nothing."""
    limit = Limit(Measure.REQUESTS, amount)
    bucket, now_ms, granted = Bucket(limit, 0), 0, 0
    while now_ms < MINUTE_MS:
        now_ms += 25 + pauses_ms[granted % len(pauses_ms)]
        bucket.fill(limit, now_ms)
        while bucket.missing(1, is_batch=False) <= 0:
            bucket.spend(1, is_batch=False)
            granted += 1
    assert granted * MINUTE_MS * 1_000 >= 985 * amount * (now_ms - 1_000)


@given(st.sampled_from([60, 600, 100_000]), st.integers(1, 50_000), st.booleans(), st.booleans())
def test_after_the_wait_the_call_may_start(amount: int, demand: int, is_request: bool, is_batch: bool) -> None:
    limit = Limit(Measure.REQUESTS if is_request else Measure.TOKENS, amount)
    bucket = Bucket(limit, 0)
    bucket.fill(limit, 0)
    wait_ms = bucket.wait_ms(demand, is_batch=is_batch)
    bucket.fill(limit, wait_ms)
    assert wait_ms > 0
    assert bucket.missing(demand, is_batch=is_batch) <= 0


@given(st.integers(1, 10**12), st.integers(1, 10**6), st.sampled_from(list(Measure)))
def test_a_fresh_bucket_starts_empty(amount: int, demand: int, measure: Measure) -> None:
    limit = Limit(measure, amount, MINUTE_MS)
    bucket = Bucket(limit, 5_000)
    bucket.fill(limit, 5_000)
    assert bucket.missing(demand, is_batch=False) > 0


def test_a_raised_limit_gives_no_burst_and_a_lowered_one_holds_at_once() -> None:
    low, high = Limit(Measure.TOKENS, 1_000), Limit(Measure.TOKENS, 1_000_000)
    bucket = Bucket(low, 0)
    bucket.fill(low, MINUTE_MS)
    bucket.fill(high, MINUTE_MS)
    assert bucket.missing(7, is_batch=False) <= 0
    assert bucket.missing(8, is_batch=False) > 0
    bucket.fill(high, 2 * MINUTE_MS)
    assert bucket.missing(7_500, is_batch=False) <= 0
    bucket.fill(low, 2 * MINUTE_MS)
    assert bucket.missing(8, is_batch=False) > 0


def test_a_call_larger_than_half_the_limit_starts_at_half_and_leaves_a_debt() -> None:
    limit = Limit(Measure.TOKENS, 1_000)
    (first, _), (second, _) = run(limit, [900, 1], [0])
    assert 55_000 < first - 1_000_000 < 65_000
    assert 40_000 < second - first < 60_000


def test_what_was_reserved_and_not_used_comes_back_and_is_forgotten_after_a_window() -> None:
    limit = Limit(Measure.TOKENS, 60_000)
    bucket = Bucket(limit, 0)
    bucket.settle(2_000)
    bucket.fill(limit, 1)
    assert bucket.missing(2_000, is_batch=False) <= 0
    bucket.fill(limit, MINUTE_MS)
    assert bucket.missing(2_000, is_batch=False) > 0


def test_what_was_used_beyond_the_reservation_is_waited_for() -> None:
    limit = Limit(Measure.TOKENS, 60_000)
    bucket = Bucket(limit, 0)
    bucket.settle(-30_000)
    bucket.fill(limit, 29_000)
    assert bucket.missing(0, is_batch=False) > 0
    bucket.fill(limit, 32_000)
    assert bucket.missing(0, is_batch=False) <= 0


def test_the_provider_is_believed_when_it_says_that_less_is_left() -> None:
    limit = Limit(Measure.REQUESTS, 6_000)
    bucket = Bucket(limit, 0)
    bucket.fill(limit, MINUTE_MS)
    assert bucket.missing(1, is_batch=False) <= 0
    bucket.hold_down(0, age_ms=0)
    assert bucket.missing(1, is_batch=False) > 0
    bucket.hold_down(1_000, age_ms=0)
    assert bucket.missing(1, is_batch=False) > 0


def test_batch_work_leaves_a_quarter_or_one_call_where_two_find_room() -> None:
    limit = Limit(Measure.REQUESTS, 6_000)
    bucket = Bucket(limit, 0)
    bucket.fill(limit, MINUTE_MS)
    granted = 0
    while bucket.missing(1, is_batch=True) <= 0:
        bucket.spend(1, is_batch=True)
        granted += 1
    left = 0
    while bucket.missing(1, is_batch=False) <= 0:
        bucket.spend(1, is_batch=False)
        left += 1
    assert (granted, left) == (23, 8)
    small = Limit(Measure.REQUESTS, 60)
    bucket = Bucket(small, 0)
    bucket.fill(small, MINUTE_MS)
    assert bucket.missing(1, is_batch=True) <= 0


@given(st.integers(1, 8), st.integers(8, 2_000))
def test_processes_without_redis_together_stay_below_the_limit(living: int, amount: int) -> None:
    scopes = (ScopeLimits(ACME, (Limit(Measure.REQUESTS, amount),)),)
    processes = [LocalBuckets() for _ in range(living)]
    calls: Calls = []
    for now_ms in range(0, 100_000, 700):
        for each in processes:
            granted, wait_ms = each.take(scopes, [Demand()] * 100, now_ms, living=living, is_batch=False, running=(0,))
            assert (wait_ms > 0) == (granted < 100)
            calls += [(now_ms, 1)] * granted
    assert 0 < most_in_a_window(calls, MINUTE_MS) <= amount


def test_a_process_without_redis_keeps_to_its_share_of_slots_and_of_the_day() -> None:
    slots = (ScopeLimits(ACME, (Limit(Measure.PARALLEL, 10, 0),)),)
    here = LocalBuckets()
    assert here.take(slots, [Demand()] * 9, 0, living=2, is_batch=False, running=(2,)) == (3, 100)
    day = (ScopeLimits(ACME, (Limit(Measure.REQUESTS, 1_440, DAY_MS),)),)
    granted = 0
    for now_ms in range(0, 600_000, 500):
        granted += here.take(day, [Demand()], now_ms, living=1, is_batch=False, running=(0,))[0]
    assert 8 <= granted <= 11


def test_without_redis_no_bucket_is_spent_when_another_refuses() -> None:
    tokens, requests = Limit(Measure.TOKENS, 60_000), Limit(Measure.REQUESTS, 60_000)
    here = LocalBuckets()
    both = (ScopeLimits(ACME, (tokens, requests)),)
    here.take(both, [], 0, living=1, is_batch=False, running=(0,))
    granted, wait_ms = here.take(both, [Demand(100, 100)] * 50, 1_000, living=1, is_batch=False, running=(0,))
    assert granted == 2
    assert wait_ms > 0
    only = (ScopeLimits(ACME, (requests,)),)
    assert here.take(only, [Demand()] * 400, 1_000, living=1, is_batch=False, running=(0,))[0] == 299
