"""The events of a streamed message, in the order of the Messages API."""

from collections.abc import Iterator
from typing import Any

import orjson

from providers.simulator.chunks import pieces


def events(message: dict[str, Any]) -> tuple[bytes, ...]:
    """Return a finished message as server-sent events."""
    return tuple(b"event: %b\ndata: %b\n\n" % (one["type"].encode(), orjson.dumps(one)) for one in _events(message))


def _events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None}
    if usage := message.get("usage"):
        start["usage"] = {**usage, "output_tokens": 1}
    yield {"type": "message_start", "message": start}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        opening, deltas = _block(block)
        yield {"type": "content_block_start", "index": index, "content_block": opening}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    yield {"type": "message_delta", "delta": ending, **({"usage": usage} if usage else {})}
    yield {"type": "message_stop"}


def _block(block: dict[str, Any]) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """Return how a block opens, and its deltas."""
    match block["type"]:
        case "text":
            return {"type": "text", "text": ""}, _texts("text", block["text"])
        case "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}, _thoughts(block)
        case _:
            return {**block, "input": {}}, _inputs(block["input"])


def _texts(name: str, text: str) -> Iterator[dict[str, Any]]:
    for piece in pieces(text):
        yield {"type": f"{name}_delta", name: piece}


def _thoughts(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from _texts("thinking", block["thinking"])
    yield {"type": "signature_delta", "signature": block["signature"]}


def _inputs(arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the JSON of a tool's input in pieces, an empty one first; a call without arguments gets no other."""
    yield {"type": "input_json_delta", "partial_json": ""}
    for piece in pieces(orjson.dumps(arguments).decode()) if arguments else ():
        yield {"type": "input_json_delta", "partial_json": piece}
