"""Mending a chat completion: give an answer the shape that clients' types accept, losing nothing that it says.

Fields that nobody knows stay. What cannot be kept in its place without breaking the types moves beside it
(`native_finish_reason`, `provider_annotations`) or, where it says nothing, goes.
"""

import hashlib
from email.utils import parsedate_to_datetime
from typing import Any

from providers.completion import Target
from providers.dialects.chat_shape import (
    CACHED_TOKEN_ALIASES,
    SERVICE_TIERS,
    USAGE_DETAILS,
    are_plain_logprobs,
    is_plain_usage,
)
from providers.dialects.finish_reason import known_finish
from providers.dialects.message_mending import mend_message
from providers.dialects.usage import read_usage
from providers.dialects.wire import WireResponse


def mend(data: dict[str, Any], response: WireResponse, target: Target) -> None:
    """Change a parsed completion in place until it is plain. Its choices are objects with a word for their end."""
    if type(data.get("id")) is not str or not data["id"]:
        data["id"] = "chatcmpl-" + digest(response.body)
    data["object"] = "chat.completion"
    if type(data.get("created")) is not int:
        data["created"] = whole(data.get("created")) or answered_at_s(response)
    if type(data.get("model")) is not str or not data["model"]:
        data["model"] = target.model
    if type(data.get("system_fingerprint", "")) is not str:
        data["system_fingerprint"] = None
    _mend_service_tier(data)
    _mend_rare_fields(data)
    data["usage"] = mended_usage(data.get("usage"))
    for position, choice in enumerate(data["choices"]):
        _mend_choice(choice, position, data["id"])


def _mend_service_tier(data: dict[str, Any]) -> None:
    """Keep the tiers that clients know; `on_demand` is the usual tier under another name."""
    tier = data.get("service_tier")
    if type(tier) in (str, type(None)) and tier in SERVICE_TIERS:
        return
    data["service_tier"] = "default" if tier == "on_demand" else None


def _mend_rare_fields(data: dict[str, Any]) -> None:
    metadata = data.get("metadata")
    if metadata is not None and not _is_string_map(metadata):
        data["metadata"] = None
    if data.get("moderation") is not None and type(data["moderation"]) is not dict:
        data["moderation"] = None


def _is_string_map(value: Any) -> bool:
    return type(value) is dict and all(type(item) is str for item in value.values())


def _mend_choice(choice: dict[str, Any], position: int, completion_id: str) -> None:
    if type(choice.get("index")) is not int:
        choice["index"] = position
    if type(choice.get("message")) is not dict:
        choice["message"] = {"content": None, "refusal": None}
    mend_message(choice["message"], f"{completion_id}:{choice['index']}")
    word = choice["finish_reason"]
    ending = known_finish(word, has_tool_calls=bool(choice["message"].get("tool_calls")))
    if ending != word:
        choice["finish_reason"] = ending
        if word:
            choice.setdefault("native_finish_reason", word)
    if choice.get("logprobs") is not None and not are_plain_logprobs(choice["logprobs"]):
        choice["logprobs"] = _mended_logprobs(choice["logprobs"])


def _mended_logprobs(logprobs: Any) -> dict[str, Any] | None:
    """Fill in what servers leave out of each token; None where that does not help."""
    if type(logprobs) is not dict:
        return None
    for name in ("content", "refusal"):
        tokens = logprobs.get(name)
        for token in tokens if type(tokens) is list else ():
            if type(token) is dict:
                token["top_logprobs"] = token.get("top_logprobs") or []
    return logprobs if are_plain_logprobs(logprobs) else None


def mended_usage(usage: Any) -> dict[str, Any] | None:
    """Return usage as clients' types want it, None where its counts are not credible.

    Cached tokens that a server reports elsewhere are also put where clients look for them.
    """
    counts = read_usage(usage)
    if counts is None:
        return None
    mended: dict[str, Any] = dict(usage)
    mended["prompt_tokens"] = whole(usage.get("prompt_tokens")) or 0
    mended["completion_tokens"] = whole(usage.get("completion_tokens")) or 0
    total = whole(usage.get("total_tokens"))
    if total is None or not 0 <= total <= 1_000_000_000:
        total = counts.prompt_tokens + counts.completion_tokens
    mended["total_tokens"] = total
    for name in USAGE_DETAILS:
        if name in mended:
            details = mended[name] if type(mended[name]) is dict else {}
            mended[name] = {key: value for key, value in details.items() if value is None or type(value) is int}
    if any(usage.get(name) for name in CACHED_TOKEN_ALIASES):
        details = mended.get("prompt_tokens_details") or {}
        mended["prompt_tokens_details"] = {**details, "cached_tokens": counts.cached_tokens}
    return mended if is_plain_usage(mended) else None


def whole(value: Any) -> int | None:
    """Return a number as an integer where it is one that a float holds exactly, None for anything else."""
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if type(value) is int else None


def digest(content: bytes) -> str:
    """Mint an id from bytes: the same answer always gets the same one."""
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def answered_at_s(response: WireResponse) -> int:
    """Return the response's own date in Unix seconds, 0 where it has none."""
    try:
        return max(0, int(parsedate_to_datetime(response.headers["date"]).timestamp()))
    except (KeyError, ValueError, OverflowError, TypeError, IndexError, OSError):
        return 0
