"""Bedrock's own words for the dialect tests: its service model as a judge of requests, its parsers, frames."""

import re
import struct
import zlib
from base64 import b64decode
from functools import cache
from typing import Any

import botocore.session
import orjson
from botocore.model import OperationModel, Shape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

from providers.completion import Answer, Endpoint, Target
from providers.dialects import WireRequest, WireResponse, Wish, dialect
from providers.dialects.wire import NO_WISH
from providers.failure import Failure
from tests.dialects.streams import Read, check

BASE = "https://bedrock-runtime.eu-central-1.amazonaws.com"
MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
HEADERS = {"content-type": "application/json", "x-amzn-requestid": "c0ffee-1", "date": "Sun, 22 Nov 2026 12:00:00 GMT"}
STREAM_HEADERS = HEADERS | {"content-type": "application/vnd.amazon.eventstream"}
HELLO = [{"role": "user", "content": "Hello"}]


def target(*traits: str, **changes: Any) -> Target:
    """A deployment of the bedrock dialect."""
    values: dict[str, Any] = {"provider": "aws-eu", "dialect": "bedrock", "base_url": BASE, "model": MODEL}
    return Target(**{**values, "api_key": "key", "auth": "aws", "model_traits": frozenset(traits), **changes})


def written(
    body: dict[str, Any], *traits: str, stream: bool = False, endpoint: Endpoint = Endpoint.CHAT, **changes: Any
) -> WireRequest | Failure:
    """Encode a caller's body; `changes` are the target's. Messages default to a greeting."""
    whole = body if endpoint is Endpoint.EMBEDDINGS else {"messages": HELLO, **body}
    deployment = target(*traits, **changes)
    return dialect("bedrock").encode(endpoint, orjson.dumps({"model": "any", **whole}), deployment, stream=stream)


def sent(body: dict[str, Any], *traits: str, **kwargs: Any) -> dict[str, Any]:
    """Return the body that goes out for a caller's, checked against the service model."""
    request = written(body, *traits, **kwargs)
    assert isinstance(request, WireRequest), request
    return judged(request)


def refused(body: dict[str, Any], *traits: str, **kwargs: Any) -> Failure:
    """Return the failure of a body that cannot be sent."""
    failure = written(body, *traits, **kwargs)
    assert isinstance(failure, Failure), failure
    return failure


@cache
def operation(name: str) -> OperationModel:
    """Return an operation of the service model."""
    return botocore.session.Session().get_service_model("bedrock-runtime").operation_model(name)


def judged(request: WireRequest) -> dict[str, Any]:
    """Hold a chat request against the service model, and against what botocore makes of the same parameters."""
    body: dict[str, Any] = orjson.loads(request.content)
    name = "ConverseStream" if request.url.endswith("/converse-stream") else "Converse"
    model = operation(name)
    _hold(body, model.input_shape, "", ignored=frozenset({"modelId"}))
    params = {**_as_parameters(body, model.input_shape), "modelId": MODEL}
    report = ParamValidator().validate(params, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    theirs = create_serializer("rest-json", include_validation=False).serialize_to_request(params, model)
    assert request.url == BASE + theirs["url_path"]
    assert orjson.loads(theirs["body"]) == body
    return body


def _as_parameters(value: Any, shape: Shape) -> Any:
    """Turn the wire's JSON into botocore's parameters: blobs are bytes there."""
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        return {name: _as_parameters(each, shape.members[name]) for name, each in value.items()}
    if shape.type_name == "list":
        return [_as_parameters(each, shape.member) for each in value]
    return b64decode(value, validate=True) if shape.type_name == "blob" else value


def _hold(value: Any, shape: Shape, place: str, ignored: frozenset[str] = frozenset()) -> None:
    """Check what botocore's validator leaves to the server: closed sets, patterns, lengths, one member of a union."""
    limits = shape.metadata
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        assert value.keys() <= shape.members.keys(), f"{place}: {value.keys() - shape.members.keys()}"
        assert not limits.get("union") or len(value) == 1, f"{place}: not one member: {list(value)}"
        for name, each in value.items():
            _hold(each, shape.members[name], f"{place}.{name}")
    elif shape.type_name == "list":
        assert limits.get("min", 0) <= len(value) <= limits.get("max", len(value)), f"{place}: {len(value)} items"
        for at, each in enumerate(value):
            _hold(each, shape.member, f"{place}[{at}]")
    elif shape.type_name == "map":
        assert limits.get("min", 0) <= len(value) <= limits.get("max", len(value)), f"{place}: {len(value)} entries"
        for name, each in value.items():
            _hold(name, shape.key, f"{place} key")
            _hold(each, shape.value, f"{place}.{name}")
    elif shape.type_name == "string":
        assert limits.get("min", 0) <= len(value) <= limits.get("max", len(value)), f"{place}: {len(value)} characters"
        assert not getattr(shape, "enum", None) or value in shape.enum, f"{place}: {value!r}"
        assert "pattern" not in limits or re.fullmatch(limits["pattern"], value), f"{place}: {value!r}"
    elif shape.type_name in ("integer", "float"):
        assert limits.get("min", value) <= value <= limits.get("max", value), f"{place}: {value}"


def decode(
    body: Any, *, status: int = 200, headers: dict[str, str] | None = None, wish: Wish = NO_WISH, **kwargs: Any
) -> Answer | Failure:
    """Decode a body, given as bytes or as a value to write as JSON."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    endpoint = kwargs.pop("endpoint", Endpoint.CHAT)
    response = WireResponse(status, {**HEADERS, **(headers or {})}, content)
    return dialect("bedrock").decode(endpoint, response, target(**kwargs), wish)


def theirs(body: dict[str, Any]) -> dict[str, Any]:
    """Read a whole answer as botocore does."""
    response = {"status_code": 200, "headers": HEADERS, "body": orjson.dumps(body)}
    parsed: dict[str, Any] = create_parser("rest-json").parse(response, operation("Converse").output_shape)
    return parsed


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Write one frame whose headers are all strings."""
    block = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + payload
    return body + struct.pack(">I", zlib.crc32(body))


def _header(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value


def event(name: str, payload: Any) -> bytes:
    """Write one event as ConverseStream does, padding included."""
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, orjson.dumps({**payload, "p": "abcdefgh"}))


def exception(name: str, payload: Any) -> bytes:
    """Write one exception."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, orjson.dumps(payload))


def frames(*events: dict[str, Any]) -> list[bytes]:
    """Write events given as `{name: payload}`, the way recordings have them."""
    return [event(name, payload) for each in events for name, payload in each.items()]


def read(*pieces: bytes, wish: Wish | None = None, include_usage: bool = False, **changes: Any) -> Read:
    """Read a stream to its end; what is handed on is held against the official types."""
    wish = wish or Wish(include_usage)
    stream = dialect("bedrock").open_stream(WireResponse(200, STREAM_HEADERS, b""), wish, target(**changes))
    chunks = [chunk for each in pieces for chunk in stream.feed(each)]
    chunks += stream.end()
    result = Read(chunks, stream.outcome())
    assert stream.is_over
    check(result, include_usage=wish.include_usage)
    return result
