"""The Messages API for tests: requests held against the vendor's own types, answers and streams as its server sends."""

from collections.abc import Iterable
from typing import Any

import orjson
from anthropic.types import RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from pydantic import BaseModel, TypeAdapter

from providers.catalogue.model_trait import ModelTrait
from providers.completion import Answer, Endpoint, Target
from providers.dialects import WireRequest, WireResponse, Wish, dialect
from providers.failure import Failure
from tests.dialects.streams import EVENTS, Read, check
from tests.dialects.wire import DATE, KEY, chat_of, failure_of

SAMPLING = frozenset({"temperature", "top_p", "top_k"})
"""Fields that the newest models refuse; the vendor's newest types no longer have them."""
MODERN = frozenset({ModelTrait.ADAPTIVE_THINKING, ModelTrait.JSON_SCHEMA, ModelTrait.STRICT_TOOLS})
JSON = {"content-type": "application/json", "date": DATE, "request-id": "req_1"}
USAGE = {"input_tokens": 10, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 20}

_WHOLE = TypeAdapter(MessageCreateParamsNonStreaming)
_STREAMED = TypeAdapter(MessageCreateParamsStreaming)
_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def claude(*traits: ModelTrait, **changes: Any) -> Target:
    """A deployment of the anthropic dialect."""
    values: dict[str, Any] = {"provider": "acme", "dialect": "anthropic", "base_url": "https://api.acme.test/v1"}
    return Target(**{**values, "model": "asked-model", "api_key": KEY, "model_traits": frozenset(traits), **changes})


def said(*messages: Any, **fields: Any) -> dict[str, Any]:
    """A chat request; a plain string is a user's message, none at all means one."""
    listed = [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages or ("Hi",)]
    return {"model": "public-name", "messages": listed, **fields}


def tried(request: dict[str, Any], target: Target | None = None, *, stream: bool = False) -> WireRequest | Failure:
    """Encode a request that may be refused; what is sent is held against the vendor's types."""
    sent = dialect("anthropic").encode(Endpoint.CHAT, orjson.dumps(request), target or claude(), stream=stream)
    if isinstance(sent, WireRequest):
        hold_against_the_types(orjson.loads(sent.content))
    return sent


def written(request: dict[str, Any], target: Target | None = None, *, stream: bool = False) -> WireRequest:
    """Encode a request that must be sent."""
    sent = tried(request, target, stream=stream)
    assert isinstance(sent, WireRequest), sent
    return sent


def body_of(request: dict[str, Any], target: Target | None = None) -> dict[str, Any]:
    """The body that a request becomes."""
    body: dict[str, Any] = orjson.loads(written(request, target).content)
    return body


def refused(request: dict[str, Any], target: Target | None = None) -> Failure:
    """Encode a request that must be refused."""
    failure = tried(request, target)
    assert isinstance(failure, Failure), failure
    return failure


def hold_against_the_types(body: dict[str, Any]) -> None:
    """Fail for a field that the vendor's types do not have, or not so: they drop what they do not know."""
    typed = {name: value for name, value in body.items() if name not in SAMPLING}
    adapter = _STREAMED if body.get("stream") else _WHOLE
    assert plain(adapter.validate_python(typed)) == typed


def plain(value: Any) -> Any:
    """Unfold what validation returns: its iterables check their items only while they are read."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value if isinstance(value, str | int | float | None) else [plain(item) for item in value]


def message(*blocks: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A whole answer of the vendor's server; a value of `...` leaves a field out."""
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-served",
        "content": list(blocks),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
        **changes,
    }
    return {name: value for name, value in body.items() if value is not ...}


def decode(body: Any, *, status: int = 200, headers: dict[str, str] | None = None, wish: Wish | None = None) -> Any:
    """Decode a body, given as bytes or as a value to write as JSON."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    response = WireResponse(status, JSON if headers is None else headers, content)
    return dialect("anthropic").decode(Endpoint.CHAT, response, claude(), wish or Wish())


def answer(body: Any, **kwargs: Any) -> tuple[Answer, dict[str, Any]]:
    """Decode a body that must give an answer, and hold it against the official types."""
    return chat_of(decode(body, **kwargs))


def failure(body: Any, **kwargs: Any) -> Failure:
    """Decode a body that must give a failure."""
    return failure_of(decode(body, **kwargs))


def start(**changes: Any) -> dict[str, Any]:
    """The first event of a stream."""
    return {
        "type": "message_start",
        "message": message(stop_reason=None, usage={**USAGE, "output_tokens": 1}, **changes),
    }


def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of one block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    """The events of a block of text."""
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def call(index: int, *pieces: str, name: str = "f", **changes: Any) -> list[dict[str, Any]]:
    """The events of a tool call."""
    content = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}, **changes}
    return block(index, content, *({"type": "input_json_delta", "partial_json": piece} for piece in pieces))


def thought(index: int, *pieces: str, signature: str = "sealed") -> list[dict[str, Any]]:
    """The events of a block of thinking."""
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    seal = {"type": "signature_delta", "signature": signature}
    return block(index, {"type": "thinking", "thinking": "", "signature": ""}, *deltas, seal)


def end(reason: str = "end_turn", **changes: Any) -> list[dict[str, Any]]:
    """The last events of a stream."""
    delta = {"stop_reason": reason, "stop_sequence": None, **changes}
    return [{"type": "message_delta", "delta": delta, "usage": {"output_tokens": 20}}, {"type": "message_stop"}]


def sse(events: Iterable[Any]) -> bytes:
    """Write events, given as values or as the bytes of their data, as a body."""
    lines = [event if isinstance(event, bytes) else orjson.dumps(event) for event in events]
    return b"".join(b"event: " + orjson.loads(line)["type"].encode() + b"\ndata: " + line + b"\n\n" for line in lines)


def streamed(*parts: Any, typed: bool = True, **kwargs: Any) -> Read:
    """Read a stream of events, or of lists of them, that begins with `start()`; hold it against the vendor's types."""
    events = [event for part in parts for event in (part if isinstance(part, list) else [part])]
    for event in events if typed else ():
        _EVENT.validate_python(event)
    return read(sse(events), **kwargs)


def read(*pieces: bytes, include_usage: bool = False, json_tool: str | None = None) -> Read:
    """Read a body to its end; what is handed on is held against the official types."""
    wish = Wish(include_usage, json_tool=json_tool)
    stream = dialect("anthropic").open_stream(WireResponse(200, EVENTS, b""), wish, claude())
    chunks = [chunk for each in pieces for chunk in stream.feed(each)]
    chunks += stream.end()
    result = Read(chunks, stream.outcome())
    assert stream.is_over
    check(result, include_usage=include_usage)
    return result
