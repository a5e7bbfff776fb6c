"""The chat response of Ollama: a finished answer as one object, or as lines of JSON."""

from datetime import UTC, datetime
from typing import Any, Final

import orjson

from providers.simulator.chunks import pieces
from providers.simulator.tokens import reported

_REASONS: Final = {"stop": "stop", "length": "length", "tool_calls": "stop"}
_TIMES: Final = {"total_duration": 4_000_000, "load_duration": 1_000_000}
_CHAT_TIMES: Final = {**_TIMES, "prompt_eval_duration": 1_000_000, "eval_duration": 2_000_000}
"""In nanoseconds; simulated like the rest."""


def whole_response(value: dict[str, Any]) -> dict[str, Any]:
    """Return the response of an OpenAI answer."""
    said = value["choices"][0]["message"]
    message: dict[str, Any] = {"role": "assistant", "content": said["content"] or ""}
    if thought := said.get("reasoning_content"):
        message["thinking"] = thought
    if calls := said.get("tool_calls"):
        message["tool_calls"] = [_call(call, number) for number, call in enumerate(calls)]
    return {**_head(value), "message": message, **_end(value)}


def lines(value: dict[str, Any]) -> tuple[bytes, ...]:
    """Return a finished answer as lines; a tool call comes whole, and the counts in the last line."""
    head = _head(value)
    message = whole_response(value)["message"]
    deltas: list[dict[str, Any]] = [
        *({"content": "", "thinking": piece} for piece in pieces(message.get("thinking", ""))),
        *({"content": piece} for piece in pieces(message["content"])),
        *({"content": "", "tool_calls": [call]} for call in message.get("tool_calls", ())),
    ]
    said = [{**head, "message": {"role": "assistant", **delta}, "done": False} for delta in deltas]
    last = {**head, "message": {"role": "assistant", "content": ""}, **_end(value)}
    return tuple(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in (*said, last))


def embed_response(value: dict[str, Any]) -> dict[str, Any]:
    """Return the response of OpenAI's list of embeddings."""
    usage = reported(value)
    counted = {} if usage is None else {"prompt_eval_count": usage.prompt_tokens}
    return {"model": value["model"], "embeddings": [row["embedding"] for row in value["data"]], **_TIMES, **counted}


def _head(value: dict[str, Any]) -> dict[str, Any]:
    created = datetime.fromtimestamp(value["created"], UTC)
    return {"model": value["model"], "created_at": created.strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"}


def _end(value: dict[str, Any]) -> dict[str, Any]:
    usage = reported(value)
    counts = {}
    if usage is not None:
        counts = {"prompt_eval_count": usage.prompt_tokens, "eval_count": usage.completion_tokens}
    return {"done": True, "done_reason": _REASONS[value["choices"][0]["finish_reason"]], **_CHAT_TIMES, **counts}


def _call(call: dict[str, Any], number: int) -> dict[str, Any]:
    function = call["function"]
    arguments = orjson.loads(function["arguments"])
    return {"id": call["id"], "function": {"index": number, "name": function["name"], "arguments": arguments}}
