"""The token counts of a message, as OpenAI's usage."""

from collections.abc import Mapping
from typing import Any

_TIERS = {"standard": "default", "priority": "priority"}


def openai_usage(usage: Mapping[str, Any]) -> dict[str, Any] | None:
    """Translate counts; None where there are none. The API counts cached input apart, OpenAI within the prompt."""
    fresh, completion = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    if fresh is None or completion is None:
        return None
    written = _count(usage, "cache_creation_input_tokens") or 0
    cached = _count(usage, "cache_read_input_tokens") or 0
    prompt = fresh + written + cached
    kept = usage.get("cache_creation")
    for_an_hour = _count(kept, "ephemeral_1h_input_tokens") if isinstance(kept, dict) else None
    details = usage.get("output_tokens_details")
    thought = _count(details, "thinking_tokens") if isinstance(details, dict) else None
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": cached,
            "cache_write_tokens": written,
            **({"cache_write_1h_tokens": for_an_hour} if for_an_hour else {}),
        },
        **({} if thought is None else {"completion_tokens_details": {"reasoning_tokens": thought}}),
    }


def openai_tier(usage: Mapping[str, Any]) -> str | None:
    """Return the tier that served the call, None where OpenAI has no word for it."""
    tier = usage.get("service_tier")
    return _TIERS.get(tier) if isinstance(tier, str) else None


def _count(counts: Mapping[str, Any], name: str) -> int | None:
    count = counts.get(name)
    return count if type(count) is int and count >= 0 else None
