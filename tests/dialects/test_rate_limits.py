"""Rate limit headers: the families of real providers, one shape; nothing in a header can break the reading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.dialects.rate_limits import exhausted_reset_ms, read_rate_limits
from providers.limit import DAY_MS, LimitReading, Measure
from tests.dialects.test_any_bytes import CALM

M = Measure
DATE = "Sun, 22 Nov 2026 12:00:00 GMT"
NOON_S = 1_795_348_800

FAMILIES: list[tuple[str, dict[str, str], list[LimitReading]]] = [
    (
        "durations",
        {
            "x-ratelimit-limit-requests": "5000",
            "x-ratelimit-limit-tokens": "4000000",
            "x-ratelimit-remaining-requests": "4999",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-requests": "12ms",
            "x-ratelimit-reset-tokens": "6m0.5s",
        },
        [LimitReading(M.REQUESTS, None, 5000, 4999, 12), LimitReading(M.TOKENS, None, 4_000_000, 0, 360_500)],
    ),
    (
        "windows in the name, seconds",
        {
            "x-ratelimit-limit-requests-day": "14400",
            "x-ratelimit-remaining-requests-day": "14399",
            "x-ratelimit-reset-requests-day": "33011.382867",
            "x-ratelimit-limit-tokens-minute": "60000",
        },
        [LimitReading(M.REQUESTS, DAY_MS, 14400, 14399, 33_011_383), LimitReading(M.TOKENS, 60_000, 60_000)],
    ),
    (
        "moments, the field last, input and output apart",
        {
            "anthropic-ratelimit-requests-limit": "4000",
            "anthropic-ratelimit-requests-remaining": "3999",
            "anthropic-ratelimit-requests-reset": "2026-11-22T12:00:01Z",
            "anthropic-ratelimit-input-tokens-limit": "2000000",
            "anthropic-ratelimit-input-tokens-reset": "2026-11-22T13:00:30.250+01:00",
            "anthropic-ratelimit-output-tokens-remaining": "400000",
            "anthropic-priority-input-tokens-limit": "1",
        },
        [
            LimitReading(M.REQUESTS, None, 4000, 3999, 1_000),
            LimitReading(M.INPUT_TOKENS, None, 2_000_000, None, 30_250),
            LimitReading(M.OUTPUT_TOKENS, None, None, 400_000),
        ],
    ),
    (
        "prompt and generated tokens",
        {"x-ratelimit-limit-tokens-prompt": "60000", "x-ratelimit-remaining-tokens-generated": "11990"},
        [LimitReading(M.INPUT_TOKENS, None, 60_000), LimitReading(M.OUTPUT_TOKENS, None, None, 11_990)],
    ),
    (
        "by size",
        {"ratelimitbysize-limit": "500000", "ratelimitbysize-reset": "22", "x-ratelimitbysize-limit-month": "9000000"},
        [LimitReading(M.TOKENS, None, 500_000, None, 22_000), LimitReading(M.TOKENS, 30 * DAY_MS, 9_000_000)],
    ),
    (
        "bare names, milliseconds of the epoch",
        {
            "x-ratelimit-limit": "20",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": str((NOON_S + 60) * 1_000),
        },
        [LimitReading(M.REQUESTS, None, 20, 0, 60_000)],
    ),
    (
        "trial calls",
        {"x-trial-endpoint-call-limit": "10", "x-trial-endpoint-call-remaining": "9"},
        [LimitReading(M.REQUESTS, None, 10, 9)],
    ),
    ("none", {"content-type": "application/json", "retry-after": "5"}, []),
    ("unreadable", {"x-ratelimit-limit-requests": "many", "x-ratelimit-reset-tokens": "soon"}, []),
]


@pytest.mark.parametrize(("headers", "expected"), [case[1:] for case in FAMILIES], ids=[case[0] for case in FAMILIES])
def test_every_family_is_read_into_one_shape(headers: dict[str, str], expected: list[LimitReading]) -> None:
    assert list(read_rate_limits({"date": DATE, **headers})) == expected


def test_a_moment_without_the_responses_own_date_is_not_guessed() -> None:
    reading = read_rate_limits({"anthropic-ratelimit-tokens-reset": "2026-11-22T12:00:01Z"})
    assert reading == ()


def test_the_wait_is_that_of_the_limits_that_have_nothing_left() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-remaining-tokens": "10",
        "x-ratelimit-reset-tokens": "50s",
    }
    assert exhausted_reset_ms(headers) == 2_000
    assert exhausted_reset_ms({**headers, "x-ratelimit-remaining-tokens": "0"}) == 50_000
    assert exhausted_reset_ms({"x-ratelimit-remaining-requests": "0"}) is None


NAMES = st.builds(
    "-".join,
    st.lists(
        st.sampled_from(["x", "ratelimit", "ratelimitbysize", "anthropic", "limit", "remaining", "reset", "tokens"])
        | st.sampled_from(["requests", "minute", "day", "input", "prompt"]),
        max_size=6,
    ),
)
VALUES = st.text(max_size=20) | st.sampled_from(["1e400", "-5", "nan", "9" * 40, "2026-11-22T12:00:01Z", "1s", DATE])


@CALM
@given(st.dictionaries(NAMES | st.just("date"), VALUES))
def test_no_header_breaks_the_reading(headers: dict[str, str]) -> None:
    for reading in read_rate_limits(headers):
        assert all(number is None or number >= 0 for number in (reading.limit, reading.remaining, reading.reset_ms))
