"""The words in which a key is asked for on the command line, as the admin API takes them."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from cli.failure import CommandError
from router.measures import duration_ms

NONE = "none"
"""What takes a limit or a list away."""
NEVER = "never"


def key_body(said: Mapping[str, Any]) -> dict[str, Any]:
    """Read flags, by the fields of the admin API; those that are None were not given. Raises CommandError."""
    read: dict[str, Callable[[Any], Any]] = {
        **dict.fromkeys(("models", "endpoints"), _names),
        **{limit: _counts(limit) for limit in ("rpm", "tpm", "max_parallel_requests")},
        "expires_at": _expires_at,
        "keep_content_s": _keep_content_s,
        "budgets": lambda budgets: {period: usd for period, usd in budgets.items() if usd is not None},
    }
    return {name: read[name](value) if name in read else value for name, value in said.items() if value is not None}


def _names(given: list[str]) -> list[str] | None:
    return None if given == [NONE] else given


def _counts(limit: str) -> Callable[[str], int | None]:
    def count(text: str) -> int | None:
        if text == NONE:
            return None
        if not (text.isascii() and text.isdigit()):
            raise CommandError(f"--{limit.replace('_', '-')} {text}: it takes a whole number, or {NONE}")
        return int(text)

    return count


def _expires_at(text: str) -> int | None:
    return None if text == NEVER else int(time.time()) + _seconds("--expires-in", text)


def _keep_content_s(text: str) -> int | None:
    return None if text == NONE else _seconds("--keep-content", text)


def _seconds(flag: str, text: str) -> int:
    try:
        return max(1, duration_ms(text) // 1000)
    except ValueError as error:
        raise CommandError(f"{flag} {text}: {error}") from None
