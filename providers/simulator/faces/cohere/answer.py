"""The chat response of Cohere: a finished answer as its version 2 gives it."""

from typing import Any, Final

from providers.simulator.chat import ChatRequest, stop_word
from providers.simulator.tokens import reported

_REASONS: Final = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}


def chat_response(asked: ChatRequest, value: dict[str, Any]) -> dict[str, Any]:
    """Return the whole response of an OpenAI answer."""
    choice = value["choices"][0]
    reason = _REASONS[choice["finish_reason"]]
    if reason == "COMPLETE" and stop_word(asked, choice["message"]["content"]):
        reason = "STOP_SEQUENCE"
    message = _message(choice["message"])
    return {"id": value["id"].removeprefix("chatcmpl-"), "message": message, "finish_reason": reason, **_usage(value)}


def _message(said: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant"}
    content = [{"type": "thinking", "thinking": said["reasoning_content"]}] if said.get("reasoning_content") else []
    if said["content"]:
        content.append({"type": "text", "text": said["content"]})
    if calls := said.get("tool_calls"):
        names = " and ".join(call["function"]["name"] for call in calls)
        message |= {"tool_calls": calls, "tool_plan": f"I will call {names}."}
    return message | ({"content": content} if content else {})


def _usage(value: dict[str, Any]) -> dict[str, Any]:
    """Return `usage`: the true counts under `tokens`, and smaller ones that are billed."""
    usage = reported(value)
    if usage is None:
        return {}
    tokens = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    billed = {**tokens, "input_tokens": max(0, usage.prompt_tokens - 3)}
    return {"usage": {"billed_units": billed, "tokens": tokens, "cached_tokens": usage.cached_tokens}}
