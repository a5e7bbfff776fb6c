"""Google's words for the dialect tests: a target, requests as the wire gets them, answers and streams read."""

from typing import Any

import orjson

from providers.completion import Answer, Endpoint, Target
from providers.dialects import WireRequest, WireResponse, Wish, dialect
from providers.dialects.wire import NO_WISH
from providers.failure import Failure
from tests.dialects.streams import EVENTS, Read, check
from tests.dialects.wire import JSON, KEY, chat_of, failure_of

BASE = "https://generativelanguage.googleapis.com/v1beta"
HELLO = [{"role": "user", "content": "Hello"}]
STOP: dict[str, Any] = {
    "candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}, "finishReason": "STOP"}]
}


def target(*traits: str, **changes: Any) -> Target:
    """A deployment of the gemini dialect, or of another one that is named in `changes`."""
    values: dict[str, Any] = {"provider": "acme", "dialect": "gemini", "base_url": BASE, "model": "gemini-2.5-pro"}
    return Target(**{**values, "api_key": KEY, "auth": "google", "model_traits": frozenset(traits), **changes})


def encode(
    body: dict[str, Any], to: Target | None = None, *, stream: bool = False, endpoint: Endpoint = Endpoint.CHAT
) -> WireRequest | Failure:
    """Encode a caller's body."""
    to = to or target()
    return dialect(to.dialect).encode(endpoint, orjson.dumps({"model": "any", **body}), to, stream=stream)


def sent(body: dict[str, Any], to: Target | None = None, **kwargs: Any) -> dict[str, Any]:
    """Return the body that goes to the provider for a caller's; it must be servable. Messages default to a greeting."""
    request = written(body, to, **kwargs)
    parsed: dict[str, Any] = orjson.loads(request.content)
    return parsed


def written(body: dict[str, Any], to: Target | None = None, **kwargs: Any) -> WireRequest:
    """Return the whole call."""
    whole = {**body} if "input" in body else {"messages": HELLO, **body}
    request = encode(whole, to, **kwargs)
    assert isinstance(request, WireRequest), request
    return request


def refused(body: dict[str, Any], to: Target | None = None, **kwargs: Any) -> Failure:
    """Return the failure of a body that cannot be sent."""
    whole = {**body} if "input" in body else {"messages": HELLO, **body}
    failure = encode(whole, to, **kwargs)
    assert isinstance(failure, Failure), failure
    return failure


def decode(
    body: Any,
    to: Target | None = None,
    *,
    status: int = 200,
    endpoint: Endpoint = Endpoint.CHAT,
    wish: Wish = NO_WISH,
) -> Answer | Failure:
    """Decode a body, given as bytes or as a value to write as JSON."""
    to = to or target()
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return dialect(to.dialect).decode(endpoint, WireResponse(status, JSON, content), to, wish)


def answer(body: Any, to: Target | None = None, **kwargs: Any) -> tuple[Answer, dict[str, Any]]:
    """Decode a body that must give a chat answer; it is held against the official types."""
    return chat_of(decode(body, to, **kwargs))


def failure(body: Any, to: Target | None = None, **kwargs: Any) -> Failure:
    """Decode a body that must give a failure."""
    return failure_of(decode(body, to, **kwargs))


def candidate(*parts: Any, finish: Any = "STOP", **changes: Any) -> dict[str, Any]:
    """An answer with one candidate of these parts; `changes` are the candidate's."""
    item = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish, **changes}
    if finish is None:
        del item["finishReason"]
    return {"candidates": [item], "modelVersion": "gemini-2.5-pro-001", "responseId": "r1"}


def read(*pieces: bytes, to: Target | None = None, include_usage: bool = False, choices: int = 1) -> Read:
    """Read a streamed body to its end; what is handed on is held against the official types."""
    to = to or target()
    stream = dialect(to.dialect).open_stream(WireResponse(200, EVENTS, b""), Wish(include_usage, choices), to)
    chunks = [chunk for each in pieces for chunk in stream.feed(each)]
    chunks += stream.end()
    result = Read(chunks, stream.outcome())
    assert stream.is_over
    check(result, include_usage=include_usage)
    return result


def sse(*events: Any) -> bytes:
    """Write answers, given as values or as the bytes of their JSON, as Google streams them."""
    lines = [event if isinstance(event, bytes) else orjson.dumps(event) for event in events]
    return b"".join(b"data: " + line + b"\r\n\r\n" for line in lines)


def array(*events: Any) -> bytes:
    """Write answers as the JSON array that comes without `alt=sse`."""
    lines = [event if isinstance(event, bytes) else orjson.dumps(event) for event in events]
    return b"[" + b"\n,\r\n".join(lines) + b"]\n"
