"""The chunks of a stream: a finished chat completion as server-sent events, in OpenAI's order."""

from collections.abc import Iterator
from typing import Any, Final

import orjson

DONE: Final = b"data: [DONE]\n\n"
_PIECE_CHARS: Final = 16


def event(value: object) -> bytes:
    """Return one server-sent event."""
    return b"data: " + orjson.dumps(value) + b"\n\n"


def stream_events(answer: dict[str, Any], *, include_usage: bool) -> tuple[bytes, ...]:
    """Return the events of a `chat.completion` object: role, pieces, finish reason, usage if asked for, `[DONE]`.

    With `include_usage` every chunk carries `usage: null` and one more without choices carries the real one; an
    answer that has no usage gets no such chunk.
    """
    same = ("id", "created", "model", "service_tier", "system_fingerprint")
    head = {"object": "chat.completion.chunk"} | {name: answer[name] for name in same}
    tail: dict[str, object] = {"usage": None} if include_usage else {}
    events = [event({**head, "choices": [part], **tail}) for choice in answer["choices"] for part in _parts(choice)]
    if include_usage and "usage" in answer:
        events.append(event({**head, "choices": [], "usage": answer["usage"]}))
    events.append(DONE)
    return tuple(events)


def _parts(choice: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Yield the chunk choices of one choice, the finish reason last."""
    message, calls = choice["message"], choice["message"].get("tool_calls", [])
    yield _part(choice, {"role": "assistant", "content": None if calls else "", "refusal": None})
    for number, call in enumerate(calls):
        function = call["function"]
        opening = {"index": number, "id": call["id"], "type": "function"}
        yield _part(choice, {"tool_calls": [{**opening, "function": {"name": function["name"], "arguments": ""}}]})
        for piece in pieces(function["arguments"]):
            yield _part(choice, {"tool_calls": [{"index": number, "function": {"arguments": piece}}]})
    for piece in pieces(message["content"] or ""):
        yield _part(choice, {"content": piece})
    yield _part(choice, {}, choice["finish_reason"])


def _part(choice: dict[str, Any], delta: dict[str, object], reason: str | None = None) -> dict[str, object]:
    return {"index": choice["index"], "delta": delta, "logprobs": None, "finish_reason": reason}


def pieces(text: str) -> Iterator[str]:
    """Yield a text in the pieces in which it is streamed."""
    for start in range(0, len(text), _PIECE_CHARS):
        yield text[start : start + _PIECE_CHARS]
