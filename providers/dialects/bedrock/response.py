"""A whole answer of Converse, in OpenAI's shape."""

from collections.abc import Iterable
from typing import Any

import orjson

from providers.completion import Target
from providers.dialects import thinking_block
from providers.dialects.chat_answer import broke_off
from providers.dialects.request_id import request_id
from providers.dialects.wire import WireResponse
from providers.failure import ErrorClass, Failure

MALFORMED = frozenset({"malformed_model_output", "malformed_tool_use"})
"""Endings of an answer that the model spoilt: what came before is kept, nothing at all is a failure."""
SERVER_TOOL = "server_tool_use"
"""Type of a tool that the provider runs itself; the caller is not asked to answer it."""
_COUNTS = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "outputTokens")
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    **dict.fromkeys(MALFORMED, "stop"),
}


def read_answer(data: Any, response: WireResponse, target: Target) -> dict[str, Any] | Failure:
    """Translate the body of a success."""
    message = _message(data["output"]["message"].get("content") or ())
    reason = data["stopReason"]
    if reason in MALFORMED and not (message["content"] or message.get("tool_calls")):
        return broke_off(ErrorClass.SERVER_ERROR, reason, response, target)
    answer: dict[str, Any] = {
        "id": request_id(response.headers),
        "choices": [{"index": 0, "message": message, **ending(reason)}],
        "usage": usage_of(data.get("usage")),
        "model": _routed_model(data.get("trace")),
        **account(data),
    }
    return {name: value for name, value in answer.items() if value is not None}


def ending(reason: str) -> dict[str, Any]:
    """Return the fields of a choice that say why it ended; a word that was added later is left to be guessed."""
    return {"finish_reason": _FINISH.get(reason, reason), "native_finish_reason": reason}


def usage_of(usage: Any) -> dict[str, Any] | None:
    """Translate token counts: Bedrock's input leaves out what was read from or written to the cache."""
    if type(usage) is not dict:
        return None
    counts = [usage.get(name, 0) for name in _COUNTS]
    if "inputTokens" not in usage or not all(type(count) is int for count in counts):
        return None
    new, cached, written, completion = counts
    prompt = new + cached + written
    details = {"cached_tokens": cached, "cache_write_tokens": written, **_for_an_hour(usage.get("cacheDetails"))}
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": details,
    }


def _for_an_hour(details: Any) -> dict[str, int]:
    """How much of what was written is kept for an hour; nothing where it is not said."""
    if type(details) is not list:
        return {}
    counts = [each.get("inputTokens") for each in details if type(each) is dict and each.get("ttl") == "1h"]
    tokens = sum(count for count in counts if type(count) is int and count > 0)
    return {"cache_write_1h_tokens": tokens} if tokens else {}


def account(data: dict[str, Any]) -> dict[str, Any]:
    """Return what an answer, or the end of a stream, says beside the message: the tier, a guardrail's trace."""
    tier = data.get("serviceTier")
    found = {"service_tier": tier.get("type") if type(tier) is dict else None, "trace": data.get("trace")}
    return {name: value for name, value in found.items() if value}


def _message(blocks: Iterable[dict[str, Any]]) -> dict[str, Any]:
    texts: list[str] = []
    reasoning: list[str] = []
    thoughts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for block in blocks:
        if "text" in block:
            texts.append(block["text"])
        elif "toolUse" in block:
            if block["toolUse"].get("type") != SERVER_TOOL:
                calls.append(_call(block["toolUse"]))
        elif "reasoningContent" in block:
            _read_thought(block["reasoningContent"], reasoning, thoughts)
        elif "citationsContent" in block:
            texts += [piece["text"] for piece in block["citationsContent"].get("content") or () if "text" in piece]
    message = {"role": "assistant", "content": "".join(texts) or None, "refusal": None}
    extras = {"reasoning_content": "".join(reasoning), "thinking_blocks": thoughts, "tool_calls": calls}
    return message | {name: value for name, value in extras.items() if value}


def _call(use: dict[str, Any]) -> dict[str, Any]:
    function = {"name": use["name"], "arguments": orjson.dumps(use.get("input") or {}).decode()}
    return {"id": use["toolUseId"], "type": "function", "function": function}


def _read_thought(content: dict[str, Any], reasoning: list[str], thoughts: list[dict[str, Any]]) -> None:
    if "redactedContent" in content:
        thoughts.append(thinking_block.redacted(content["redactedContent"]))
        return
    text, signature = content["reasoningText"]["text"], content["reasoningText"].get("signature")
    reasoning.append(text)
    if signature:
        thoughts.append(thinking_block.sealed(text, signature))


def _routed_model(trace: Any) -> str | None:
    """Return the model that a prompt router chose; other answers do not say who made them."""
    router = trace.get("promptRouter") if type(trace) is dict else None
    model = router.get("invokedModelId") if type(router) is dict else None
    return model if type(model) is str else None
