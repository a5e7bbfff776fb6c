"""The plain shape of a chat completion: what clients' types accept and what needs no mending.

Every answer passes here, so the checks are flat and cheap: `type(x) is` on the fields in use. A doubt counts as
"not plain": mending an answer that needed none only costs time.
"""

from typing import Any

from providers.dialects.finish_reason import KNOWN

SERVICE_TIERS = frozenset({None, "auto", "default", "flex", "scale", "priority", "fast"})
USAGE_DETAILS = ("prompt_tokens_details", "completion_tokens_details")
CACHED_TOKEN_ALIASES = ("prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens")
RARE_FIELDS = ("metadata", "moderation")
RARE_MESSAGE_FIELDS = ("annotations", "audio", "function_call")


def is_plain(data: dict[str, Any]) -> bool:
    """Tell whether an answer can be handed on as it came."""
    fingerprint = data.get("system_fingerprint")
    return (
        type(identity := data.get("id")) is str
        and identity != ""
        and data.get("object") == "chat.completion"
        and type(data.get("created")) is int
        and type(data.get("model")) is str
        and type(tier := data.get("service_tier")) in (str, type(None))
        and tier in SERVICE_TIERS
        and (fingerprint is None or type(fingerprint) is str)
        and all(not data.get(name) for name in RARE_FIELDS)
        and is_plain_usage(data.get("usage"))
        and all(is_plain_choice(choice) for choice in data["choices"])
    )


def is_plain_choice(choice: Any) -> bool:
    """Tell whether a choice has a known end and a plain message."""
    return (
        type(choice) is dict
        and type(choice.get("index")) is int
        and type(word := choice.get("finish_reason")) is str
        and word in KNOWN
        and type(message := choice.get("message")) is dict
        and is_plain_message(message)
        and (choice.get("logprobs") is None or are_plain_logprobs(choice["logprobs"]))
    )


def is_plain_message(message: dict[str, Any]) -> bool:
    """Tell whether an assistant message has text or none, well-formed tool calls and no field of another shape."""
    content, refusal, tool_calls = message.get("content"), message.get("refusal"), message.get("tool_calls")
    return (
        message.get("role") == "assistant"
        and (content is None or type(content) is str)
        and (refusal is None or type(refusal) is str)
        and (tool_calls is None or are_plain_tool_calls(tool_calls))
        and not any(message.get(name) for name in RARE_MESSAGE_FIELDS)
        and ("reasoning_content" in message or not (message.get("reasoning") or message.get("reasoning_details")))
        and ("function_call" not in message or message["function_call"] is None)
        and ("audio" not in message or message["audio"] is None)
        and ("annotations" not in message or message["annotations"] is None or message["annotations"] == [])
    )


def are_plain_tool_calls(calls: Any) -> bool:
    """Tell whether every call is a function call with an id, a name and its arguments as a string."""
    return type(calls) is list and all(
        type(call) is dict
        and call.get("type") == "function"
        and type(identity := call.get("id")) is str
        and identity != ""
        and type(function := call.get("function")) is dict
        and type(function.get("name")) is str
        and type(arguments := function.get("arguments")) is str
        and arguments != ""
        for call in calls
    )


def are_plain_logprobs(logprobs: Any) -> bool:
    """Tell whether log probabilities have the shape of clients' types, token by token."""
    return type(logprobs) is dict and all(
        tokens is None or (type(tokens) is list and all(is_plain_token(token) for token in tokens))
        for tokens in (logprobs.get("content"), logprobs.get("refusal"))
    )


def is_plain_token(token: Any) -> bool:
    """Tell whether one token with its alternatives is complete."""
    return (
        _is_scored(token)
        and type(others := token.get("top_logprobs")) is list
        and all(_is_scored(other) for other in others)
    )


def _is_scored(token: Any) -> bool:
    return (
        type(token) is dict
        and type(token.get("token")) is str
        and type(token.get("logprob")) in (float, int)
        and _is_bytes(token.get("bytes"))
    )


def _is_bytes(value: Any) -> bool:
    return value is None or (type(value) is list and all(type(item) is int for item in value))


def is_plain_usage(usage: Any) -> bool:
    """Tell whether usage is absent, or three believable counts and details of whole numbers in their usual places."""
    if usage is None:
        return True
    if type(usage) is not dict:
        return False
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        if type(count := usage.get(name)) is not int or not 0 <= count <= 1_000_000_000:
            return False
    for name in USAGE_DETAILS:
        details = usage.get(name)
        if details is not None and not _are_counts(details):
            return False
    return (usage.get("prompt_tokens_details") or {}).get("cached_tokens") is not None or not any(
        usage.get(name) for name in CACHED_TOKEN_ALIASES
    )


def _are_counts(details: Any) -> bool:
    return type(details) is dict and all(value is None or type(value) is int for value in details.values())
