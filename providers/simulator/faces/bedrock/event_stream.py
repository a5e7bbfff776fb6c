"""The event stream of Bedrock: binary frames, each with headers, a JSON payload and two checksums."""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

import orjson

from providers.simulator.chunks import pieces
from providers.simulator.faces.bedrock.refusal import exception_name, words
from providers.simulator.refusals import Refusal

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"
_PADDING: Final = "abcdefghijklmnopqrstuvwxyz"
_TEXT: Final = 7
"""The type of a header whose value is a text."""


def frames(response: dict[str, Any]) -> tuple[bytes, ...]:
    """Return a finished Converse response as the frames of a stream; usage comes after the end of the message."""
    events = (("event", name, event) for name, event in _events(response))
    return tuple(_frame(kind, name, _padded(event, number)) for number, (kind, name, event) in enumerate(events))


def exception_frame(refusal: Refusal) -> bytes:
    """Return a refusal as a frame within a stream."""
    name = exception_name(refusal)
    return _frame("exception", name[0].lower() + name[1:], {"message": words(refusal)})


def _events(response: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "messageStart", {"role": "assistant"}
    for index, block in enumerate(response["output"]["message"]["content"]):
        at = {"contentBlockIndex": index}
        if used := block.get("toolUse"):
            start = {"toolUse": {"toolUseId": used["toolUseId"], "name": used["name"]}}
            yield "contentBlockStart", {**at, "start": start}
        for delta in _deltas(block):
            yield "contentBlockDelta", {**at, "delta": delta}
        yield "contentBlockStop", at
    yield "messageStop", {"stopReason": response["stopReason"]}
    yield "metadata", {"metrics": response["metrics"], **({"usage": response["usage"]} if "usage" in response else {})}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the pieces of one block; a call without arguments has none."""
    if reasoning := block.get("reasoningContent"):
        for piece in pieces(reasoning["reasoningText"]["text"]):
            yield {"reasoningContent": {"text": piece}}
        yield {"reasoningContent": {"signature": reasoning["reasoningText"]["signature"]}}
    elif used := block.get("toolUse"):
        for piece in pieces(orjson.dumps(used["input"]).decode()) if used["input"] else ():
            yield {"toolUse": {"input": piece}}
    else:
        for piece in pieces(block["text"]):
            yield {"text": piece}


def _padded(event: dict[str, Any], number: int) -> dict[str, Any]:
    """Add the member of changing length that keeps frames from telling the length of their text."""
    return {**event, "p": _PADDING[: 1 + number * 7 % len(_PADDING)]}


def _frame(message_type: str, name: str, payload: dict[str, Any]) -> bytes:
    headers = b"".join(
        _header(*pair)
        for pair in (
            (f":{message_type}-type", name),
            (":content-type", "application/json"),
            (":message-type", message_type),
        )
    )
    body = orjson.dumps(payload)
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    start = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return start + struct.pack(">I", zlib.crc32(start))


def _header(name: str, value: str) -> bytes:
    return struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _TEXT, len(value)) + value.encode()
