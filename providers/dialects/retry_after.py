"""The delay a provider asks for before the next try, from every place where providers put it."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from providers.dialects.rate_limits import exhausted_reset_ms

MAX_RETRY_AFTER_MS = 600_000

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)(?![a-z])")
_WORDED = r"\d+(?:\.\d+)?\s*(?:milliseconds?|seconds?|minutes?|hours?|ms|s|m|h)"
_IN_MESSAGE = re.compile(rf"(?:try again in|retry after|retry in)\s+((?:{_WORDED}\s*)+)", re.IGNORECASE)


def retry_after_ms(headers: Mapping[str, str], retry_delay: str | None, message: str) -> int | None:
    """Return the delay of a refusal, clamped to 0..600,000 ms; None where it names none.

    The first source wins: `retry-after-ms`, `retry-after` (seconds or an HTTP date, measured from the response's
    own `Date` so that clocks need not agree), `x-ms-retry-after-ms`, `x-ratelimit-reset-after`, the body's
    structured delay, the reset of a limit that has nothing left, "try again in 1.5s" in the message. Ask only about
    refusals: some providers send `retry-after` with every success.
    """
    delays = (
        _number(headers.get("retry-after-ms"), 1),
        _seconds_or_date(headers.get("retry-after"), headers.get("date")),
        _number(headers.get("x-ms-retry-after-ms"), 1),
        _number(headers.get("x-ratelimit-reset-after"), 1_000),
        duration_ms(retry_delay) if retry_delay else None,
        exhausted_reset_ms(headers),
        _in_message(message),
    )
    first = next((delay for delay in delays if delay is not None), None)
    return None if first is None else max(0, min(first, MAX_RETRY_AFTER_MS))


def duration_ms(text: str) -> int | None:
    """Read a duration such as `250ms`, `34.4s` or `2m3s`; None where the text is not one."""
    total = sum(float(amount) * _UNITS_MS[unit] for amount, unit in _DURATION.findall(text.lower()))
    return math.ceil(min(total, MAX_RETRY_AFTER_MS)) if _DURATION.search(text.lower()) else None


def _number(value: str | None, unit_ms: int) -> int | None:
    try:
        amount = float(value or "")
    except ValueError:
        return None
    return math.ceil(max(0.0, min(amount * unit_ms, MAX_RETRY_AFTER_MS))) if math.isfinite(amount) else None


def _seconds_or_date(value: str | None, date: str | None) -> int | None:
    if value is None or (seconds := _number(value, 1_000)) is not None:
        return None if value is None else seconds
    until, sent = _http_date(value), _http_date(date or "")
    return None if until is None or sent is None else math.ceil((until - sent).total_seconds() * 1_000)


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _in_message(message: str) -> int | None:
    found = _IN_MESSAGE.search(message[:4_000])
    if found is None:
        return None
    words = re.sub(r"milliseconds?", "ms", found[1].lower())
    words = re.sub(r"seconds?", "s", re.sub(r"minutes?", "m", re.sub(r"hours?", "h", words)))
    return duration_ms(words)
