"""Rate limit headers: every family that providers send, read into one shape.

    x-ratelimit-{limit,remaining,reset}-{requests,tokens,..}[-{minute,day,..}]   OpenAI and most servers like it
    anthropic-ratelimit-{requests,tokens,input-tokens,..}-{limit,remaining,reset}   the field last, times of day
    x-ratelimit-{limit,remaining,reset}, ratelimit-..                            requests, or what the name says
    [x-]ratelimitbysize-{limit,remaining,reset}[-{minute,month}]                 tokens
    x-trial-endpoint-call-{limit,remaining}                                      requests

A reset is a duration (`1s`, `6m0s`), seconds, or a moment (RFC 3339, Unix seconds or milliseconds); a moment is
measured from the response's own `Date`, so that clocks need not agree.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from providers.limit import DAY_MS, LimitReading, Measure

_WINDOWS_MS = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": DAY_MS, "month": 30 * DAY_MS}
_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_MAX_RESET_MS = 31 * DAY_MS
_EPOCH_S = 1_000_000_000
"""A bare number above this is a moment, not a number of seconds: it lies in 2001 or later."""


@dataclass(frozen=True, slots=True)
class _Header:
    """What the name of a header says."""

    field: str
    measure: Measure
    window_ms: int | None


def read_rate_limits(headers: Mapping[str, str]) -> tuple[LimitReading, ...]:
    """Return every limit that the headers speak of, in their order; values that cannot be read count as absent."""
    named = [(header, value) for name, value in headers.items() if (header := _parsed_name(name)) is not None]
    if not named:
        return ()
    found: dict[tuple[Measure, int | None], dict[str, int]] = {}
    for header, value in named:
        number = _reset_ms(value, headers.get("date")) if header.field == "reset_ms" else _count(value)
        if number is not None:
            found.setdefault((header.measure, header.window_ms), {})[header.field] = number
    return tuple(LimitReading(measure, window_ms, **fields) for (measure, window_ms), fields in found.items())


def exhausted_reset_ms(headers: Mapping[str, str]) -> int | None:
    """Return the longest reset among the limits that have nothing left; None where none is said to be exhausted."""
    return max(
        (
            reading.reset_ms
            for reading in read_rate_limits(headers)
            if reading.remaining == 0 and reading.reset_ms is not None
        ),
        default=None,
    )


@lru_cache(maxsize=1_024)
def _parsed_name(name: str) -> _Header | None:
    """Read a header's name, whatever the order of its words; None for a header that speaks of no limit."""
    if "ratelimit" not in name and not name.startswith("x-trial-endpoint-call-"):
        return None
    words = name.replace("_", "-").split("-")
    fields = [word for word in words if word in ("limit", "remaining", "reset")]
    if len(fields) != 1 or "priority" in words or "over" in words:
        return None
    window_ms = next((_WINDOWS_MS[word] for word in words if word in _WINDOWS_MS), None)
    field = "reset_ms" if fields[0] == "reset" else fields[0]
    return _Header(field, _measure(words), window_ms)


def _measure(words: list[str]) -> Measure:
    if "ratelimitbysize" not in words and "tokens" not in words:
        return Measure.REQUESTS
    if "input" in words or "prompt" in words:
        return Measure.INPUT_TOKENS
    return Measure.OUTPUT_TOKENS if "output" in words or "generated" in words else Measure.TOKENS


def _count(value: str) -> int | None:
    """Read a count; of a list such as `100, 100;w=60` the first."""
    try:
        number = float(value.partition(",")[0].partition(";")[0])
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and 0 <= number <= 1e15 else None


def _reset_ms(value: str, date: str | None) -> int | None:
    text = value.strip().lower()
    if _DURATION.fullmatch(text):
        total_ms = sum(float(amount) * _UNITS_MS[unit] for amount, unit in _DURATION_PART.findall(text))
        return _clamped_ms(total_ms)
    try:
        number = float(text)
    except ValueError:
        return _until_ms(_moment_s(value.strip()), date)
    if number > _EPOCH_S:
        return _until_ms(number / 1_000 if number > 1_000 * _EPOCH_S else number, date)
    return _clamped_ms(number * 1_000)


def _until_ms(moment_s: float | None, date: str | None) -> int | None:
    try:
        sent = parsedate_to_datetime(date or "")
        sent_s = (sent if sent.tzinfo else sent.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError, OSError):
        return None
    return None if moment_s is None else _clamped_ms((moment_s - sent_s) * 1_000)


def _moment_s(value: str) -> float | None:
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _clamped_ms(delay_ms: float) -> int | None:
    return math.ceil(min(max(delay_ms, 0), _MAX_RESET_MS)) if math.isfinite(delay_ms) else None
