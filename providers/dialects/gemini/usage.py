"""Usage as Google counts it: thoughts apart from the answer, the results of its own tools apart from the prompt."""

from collections.abc import Mapping
from typing import Any

TIERS: Mapping[str, str] = {
    "FLEX": "flex",
    "ON_DEMAND_FLEX": "flex",
    "PRIORITY": "priority",
    "ON_DEMAND_PRIORITY": "priority",
    "STANDARD": "default",
    "ON_DEMAND": "default",
}
"""Words for the service tier, of both services; others (reserved capacity) have no word in OpenAI's dialect."""


def read_usage(counts: Any) -> dict[str, Any] | None:
    """Return usage in OpenAI's shape; None where the prompt is not counted, as in most pieces of some streams.

    A count that is absent is zero. Where the total leaves no room for the thoughts, they are in the answer's count.
    """
    if not counts or counts.get("promptTokenCount") is None:
        return None
    thoughts, answer = counts.get("thoughtsTokenCount", 0), counts.get("candidatesTokenCount", 0)
    prompt = counts["promptTokenCount"] + counts.get("toolUsePromptTokenCount", 0)
    total = counts.get("totalTokenCount")
    completion = answer if thoughts and prompt + answer == total else answer + thoughts
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": counts.get("cachedContentTokenCount", 0)},
        "completion_tokens_details": {"reasoning_tokens": thoughts},
    }


def read_tier(counts: Any) -> str | None:
    """Return the service tier that the call was served in, in OpenAI's words; None where that is not said."""
    if not counts:
        return None
    word = counts.get("serviceTier") or counts.get("trafficType") or ""
    return TIERS.get(word.upper())
