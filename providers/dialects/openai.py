"""The openai dialect: chat completions and embeddings as OpenAI and the many servers that follow it speak them."""

from typing import Any

import orjson

from providers.completion import Answer, Endpoint, Target
from providers.dialects.chat_answer import read_chat
from providers.dialects.embedding_answer import read_embeddings
from providers.dialects.error_body import read_error
from providers.dialects.json_depth import is_too_deep
from providers.dialects.openai_request import apply_quirks, set_streaming
from providers.dialects.openai_stream import OpenAIStream
from providers.dialects.refusals import refusal
from providers.dialects.unusable import redirected, unusable
from providers.dialects.wire import StreamWish, WireRequest, WireResponse
from providers.failure import ErrorClass, Failure

PATHS = {Endpoint.CHAT: "/chat/completions", Endpoint.EMBEDDINGS: "/embeddings"}
HEADERS = (
    ("content-type", "application/json"),
    ("accept", "application/json, text/event-stream"),
    ("accept-encoding", "identity"),
    ("user-agent", "laneway"),
)
NEVER_JSON = ("text/html", "text/event-stream", "multipart/", "image/", "audio/", "video/")
"""Content types that are refused unread. Others are tried: some servers send JSON as text/plain."""


class OpenAIDialect:
    """Pure functions; answers that need no mending are handed on byte for byte."""

    def encode(self, endpoint: Endpoint, body: bytes, target: Target, *, stream: bool = False) -> WireRequest | Failure:
        """Write the request for one deployment. See `Dialect.encode`."""
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return _bad_request(f"the request body is not valid JSON: {error}")
        if type(request) is not dict:
            return _bad_request("the request body is not a JSON object; send an object with `model` and its input")
        if target.api_key is not None and not (target.api_key.isascii() and target.api_key.isprintable()):
            return _unusable_key(target)
        wanted = set_streaming(request, target.quirks, stream=stream)
        request["model"] = target.model
        dropped = apply_quirks(request, target.quirks) if target.quirks or "max_tokens" in request else ()
        try:
            content = orjson.dumps(request)
        except TypeError:  # orjson.JSONEncodeError: the body is too deep; it was JSON a moment ago
            return _bad_request("the request body is nested too deeply; the limit is 254 levels")
        return WireRequest(target.base_url + PATHS[endpoint], _headers(target), content, dropped, wanted)

    def decode(self, endpoint: Endpoint, response: WireResponse, target: Target) -> Answer | Failure:
        """Read a whole response. See `Dialect.decode`.

        A success that is no usable answer is `invalid_response` with `outcome_unknown`: it was probably billed.
        """
        if 300 <= response.status < 400:
            return redirected(response, target)
        if response.status >= 400:
            return refusal(response, read_error(_parse(response.body), refused=True), target)
        data = _parse_success(response, target)
        if isinstance(data, Failure):
            return data
        error = read_error(data, refused=False)
        if error is not None:
            return refusal(response, error, target)
        if endpoint is Endpoint.EMBEDDINGS:
            return read_embeddings(data, response, target)
        return read_chat(data, response, target)

    def open_stream(self, response: WireResponse, wanted: StreamWish, target: Target) -> OpenAIStream:
        """Begin to read a stream. See `Dialect.open_stream`."""
        return OpenAIStream(response, wanted, target)


def _headers(target: Target) -> tuple[tuple[str, str], ...]:
    """List the headers of a call; those of the config win over ours."""
    own = list(HEADERS)
    if target.api_key is not None:
        own.append(("authorization", f"Bearer {target.api_key}"))
    if not target.headers:
        return tuple(own)
    configured = tuple((name.lower(), value) for name, value in target.headers)
    names = {name for name, _ in configured}
    return (*(header for header in own if header[0] not in names), *configured)


def _parse_success(response: WireResponse, target: Target) -> dict[str, Any] | list[Any] | Failure:
    content_type = response.headers.get("content-type", "")
    if "json" not in content_type and content_type.lower().lstrip().startswith(NEVER_JSON):
        return unusable(response, target, f"is {content_type.split(';')[0][:60]}, not JSON")
    if not response.body.strip():
        return unusable(response, target, "is empty")
    data = _parse(response.body)
    if type(data) is not dict and type(data) is not list:
        return unusable(response, target, "is cut short or is not JSON")
    if type(data) is list and not (data and type(data[0]) is dict and "error" in data[0]):
        return unusable(response, target, "is a JSON array, not an object")
    if is_too_deep(response.body, data):
        return unusable(response, target, "is nested too deeply")
    return data


def _parse(body: bytes) -> Any:
    """Parse a body, None where it is no JSON. orjson itself stops at 1,024 levels and refuses NaN and infinity."""
    try:
        return orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None


def _bad_request(message: str) -> Failure:
    return Failure(ErrorClass.BAD_REQUEST, message)


def _unusable_key(target: Target) -> Failure:
    message = f"the API key of provider {target.provider!r} holds a line break or a non-ASCII character; set it anew"
    return Failure(ErrorClass.AUTH, message)
