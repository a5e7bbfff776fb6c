"""A message: the whole answer of the Messages API, in OpenAI's shape.

Blocks of tools that the provider runs itself, citations and containers have no place there and are left out.
"""

from typing import Any

import orjson

from providers.completion import Target
from providers.dialects import thinking_block
from providers.dialects.anthropic.counts import openai_tier, openai_usage
from providers.dialects.anthropic.ending import openai_finish, refusal_of
from providers.dialects.wire import WireResponse
from providers.failure import Failure


def read_message(data: Any, response: WireResponse, target: Target) -> dict[str, Any] | Failure:
    """Translate a parsed message. Raises KeyError, TypeError or ValueError for a body that is none."""
    usage = data.get("usage")
    usage = usage if type(usage) is dict else {}
    choice = {
        "index": 0,
        "message": _message(data["content"]) | {"refusal": refusal_of(data)},
        "logprobs": None,
        "finish_reason": openai_finish(data["stop_reason"]),
    }
    answer = {"id": data.get("id"), "model": data.get("model"), "choices": [choice], "usage": openai_usage(usage)}
    tier = openai_tier(usage)
    return answer if tier is None else {**answer, "service_tier": tier}


def handed_back(block: dict[str, Any]) -> dict[str, Any]:
    """Return a block of reasoning in the form in which a caller hands it back, without what else is in it."""
    if block["type"] == "redacted_thinking":
        return thinking_block.redacted(block["data"])
    return thinking_block.sealed(block["thinking"], block.get("signature") or "")


def _message(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    texts: list[str] = []
    thoughts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for block in blocks:
        match block["type"]:
            case "text":
                texts.append(block["text"])
            case "thinking" | "redacted_thinking":
                thoughts.append(handed_back(block))
            case "tool_use":
                calls.append(_call(block))
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts else None}
    if thoughts:
        reasoning = "".join(thought.get("thinking", "") for thought in thoughts)
        message |= {"reasoning_content": reasoning or None, "thinking_blocks": thoughts}
    if calls:
        message["tool_calls"] = calls
    return message


def _call(block: dict[str, Any]) -> dict[str, Any]:
    arguments = orjson.dumps(block["input"]).decode()
    return {"id": block["id"], "type": "function", "function": {"name": block["name"], "arguments": arguments}}
