"""The message: a finished answer as the Messages API gives it."""

from typing import Any, Final

import orjson

from providers.simulator.chat import ChatRequest, stop_word
from providers.simulator.thought import signature
from providers.simulator.tokens import reported

_REASONS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def message(asked: ChatRequest, value: dict[str, Any]) -> dict[str, Any]:
    """Return the `message` object of an OpenAI answer."""
    choice = value["choices"][0]
    text = choice["message"]["content"] or ""
    stopped = stop_word(asked, text) if choice["finish_reason"] == "stop" else None
    return {
        "id": value["id"].replace("chatcmpl-", "msg_"),
        "type": "message",
        "role": "assistant",
        "model": value["model"],
        "content": _blocks(choice["message"]),
        "stop_reason": "stop_sequence" if stopped else _REASONS[choice["finish_reason"]],
        "stop_sequence": stopped,
        **_usage(value),
    }


def _blocks(said: dict[str, Any]) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if thought := said.get("reasoning_content"):
        blocks.append({"type": "thinking", "thinking": thought, "signature": signature(thought)})
    if said["content"]:
        blocks.append({"type": "text", "text": said["content"]})
    for call in said.get("tool_calls", ()):
        function = call["function"]
        blocks.append(
            {
                "type": "tool_use",
                "id": call["id"].replace("call_", "toolu_").replace("-", "_"),
                "name": function["name"],
                "input": orjson.loads(function["arguments"]),
            }
        )
    return blocks


def _usage(value: dict[str, Any]) -> dict[str, Any]:
    """Return `usage`, in which the tokens read from the cache are not part of the input."""
    usage = reported(value)
    if usage is None:
        return {}
    counts: dict[str, object] = {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
        "service_tier": "standard",
    }
    if usage.reasoning_tokens:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return {"usage": counts}
