"""The Converse response: a finished answer as Bedrock gives it."""

from typing import Any, Final

import orjson

from providers.simulator.chat import ChatRequest, stop_word
from providers.simulator.thought import signature
from providers.simulator.tokens import reported

_REASONS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def converse_response(asked: ChatRequest, value: dict[str, Any]) -> dict[str, Any]:
    """Return the whole response of an OpenAI answer."""
    choice = value["choices"][0]
    reason = _REASONS[choice["finish_reason"]]
    if reason == "end_turn" and stop_word(asked, choice["message"]["content"]):
        reason = "stop_sequence"
    return {
        "metrics": {"latencyMs": 1},
        "output": {"message": {"content": _blocks(choice["message"]), "role": "assistant"}},
        "stopReason": reason,
        **_usage(value),
    }


def _blocks(said: dict[str, Any]) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if thought := said.get("reasoning_content"):
        blocks.append({"reasoningContent": {"reasoningText": {"text": thought, "signature": signature(thought)}}})
    if said["content"]:
        blocks.append({"text": said["content"]})
    for call in said.get("tool_calls", ()):
        function = call["function"]
        used = {"toolUseId": call["id"].replace("call_", "tooluse_"), "name": function["name"]}
        blocks.append({"toolUse": {**used, "input": orjson.loads(function["arguments"])}})
    return blocks


def _usage(value: dict[str, Any]) -> dict[str, Any]:
    """Return `usage`, in which the tokens read from the cache are not part of the input."""
    usage = reported(value)
    if usage is None:
        return {}
    return {
        "usage": {
            "inputTokens": usage.prompt_tokens - usage.cached_tokens,
            "outputTokens": usage.completion_tokens,
            "totalTokens": usage.prompt_tokens + usage.completion_tokens,
            "cacheReadInputTokens": usage.cached_tokens,
            "cacheWriteInputTokens": 0,
        }
    }
