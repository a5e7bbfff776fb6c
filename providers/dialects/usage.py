"""Reported usage: read a response's token counts, or refuse to believe them."""

from decimal import Decimal, InvalidOperation
from typing import Any

from providers.completion import Usage

MAX_TOKENS = 1_000_000_000
"""A count above this is a fault of the server, not a call."""

_CACHE_WRITES = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
_CACHED_OUTSIDE = ("prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens")


def read_usage(usage: Any) -> Usage | None:
    """Return the counts of a call; None where they are absent, negative, not whole, or beyond belief.

    Details never exceed the total they are part of. Where the total says that reasoning was counted apart from
    the completion, it is added: it is billed as output.
    """
    if type(usage) is not dict:
        return None
    prompt = _count(usage.get("prompt_tokens"))
    completion = _count(usage.get("completion_tokens", 0))
    if prompt is None or completion is None:
        return None
    inputs, outputs = _details(usage, "prompt_tokens_details"), _details(usage, "completion_tokens_details")
    reasoning = _count(outputs.get("reasoning_tokens")) or 0
    if reasoning and usage.get("total_tokens") == prompt + completion + reasoning:
        completion += reasoning
    cached = _count(inputs.get("cached_tokens")) or _first_count(usage, _CACHED_OUTSIDE)
    cached = min(cached, prompt)
    written = min(_first_count(inputs, _CACHE_WRITES), prompt - cached)
    for_an_hour = min(_count(inputs.get("cache_write_1h_tokens")) or 0, written)
    return Usage(prompt, completion, cached, written, min(reasoning, completion), for_an_hour)


def reported_cost_nanousd(usage: Any) -> int | None:
    """Return the price of the call where the server states one, in nano-dollars; None where it does not.

    Known forms: `cost` in dollars, `cost.total_cost` in dollars, `cost_in_usd_ticks` of 10^-10 dollars.
    """
    if type(usage) is not dict:
        return None
    cost = usage.get("cost")
    if type(cost) is dict:
        cost = cost.get("total_cost")
    if cost is None and type(ticks := usage.get("cost_in_usd_ticks")) is int:
        cost = Decimal(ticks).scaleb(-10)
    if type(cost) not in (int, float, Decimal):
        return None
    try:
        nanousd = round(Decimal(str(cost)).scaleb(9))
    except (InvalidOperation, ValueError, OverflowError):
        return None
    return nanousd if 0 <= nanousd <= 10**15 else None


def _count(value: Any) -> int | None:
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_TOKENS else None


def _first_count(mapping: dict[str, Any], names: tuple[str, ...]) -> int:
    return next((count for name in names if (count := _count(mapping.get(name)))), 0)


def _details(usage: dict[str, Any], name: str) -> dict[str, Any]:
    details = usage.get(name)
    return details if type(details) is dict else {}
