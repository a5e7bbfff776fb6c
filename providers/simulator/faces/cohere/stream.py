"""The events of a streamed chat of Cohere's, in the order of its version 2."""

from collections.abc import Iterator
from typing import Any

import orjson

from providers.simulator.chunks import pieces
from providers.simulator.refusals import Refusal


def events(response: dict[str, Any]) -> tuple[bytes, ...]:
    """Return a finished response as server-sent events."""
    return tuple(_event(one) for one in _events(response))


def error_event(refusal: Refusal) -> bytes:
    """Return the end of a message that failed on the way."""
    return _event({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": refusal.message}})


def _event(value: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), orjson.dumps(value))


def _events(response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    message = response["message"]
    opening = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"type": "message-start", "id": response["id"], "delta": {"message": opening}}
    for index, block in enumerate(message.get("content", ())):
        yield from _content(index, block)
    for piece in pieces(message.get("tool_plan", "")):
        yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}
    for index, call in enumerate(message.get("tool_calls", ())):
        yield from _call(index, call)
    usage = {"usage": response["usage"]} if "usage" in response else {}
    yield {"type": "message-end", "delta": {"finish_reason": response["finish_reason"], **usage}}


def _content(index: int, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kind = block["type"]
    yield {"type": "content-start", "index": index, "delta": {"message": {"content": {"type": kind, kind: ""}}}}
    for piece in pieces(block[kind]):
        yield {"type": "content-delta", "index": index, "delta": {"message": {"content": {kind: piece}}}}
    yield {"type": "content-end", "index": index}


def _call(index: int, call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one tool call; a call without arguments gets no piece of them."""
    function = call["function"]
    opening = {**call, "function": {"name": function["name"], "arguments": ""}}
    yield {"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": opening}}}
    for piece in pieces(function["arguments"]) if function["arguments"] != "{}" else ():
        arguments = {"tool_calls": {"function": {"arguments": piece}}}
        yield {"type": "tool-call-delta", "index": index, "delta": {"message": arguments}}
    yield {"type": "tool-call-end", "index": index}
