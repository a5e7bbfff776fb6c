"""A body: JSON from a caller or from a provider, parsed or refused."""

from typing import Any

import orjson

from providers.completion import Target
from providers.dialects.json_depth import is_too_deep
from providers.dialects.unusable import unusable
from providers.dialects.wire import WireResponse
from providers.failure import ErrorClass, Failure

NEVER_JSON = ("text/html", "text/event-stream", "multipart/", "image/", "audio/", "video/")
"""Content types that are refused unread. Others are tried: some servers send JSON as text/plain."""


def parse_object(body: bytes) -> dict[str, Any] | Failure:
    """Parse a caller's request."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return Failure(ErrorClass.BAD_REQUEST, f"the request body is not valid JSON: {error}")
    if type(request) is dict:
        return request
    message = "the request body is not a JSON object; send an object with `model` and its input"
    return Failure(ErrorClass.BAD_REQUEST, message)


def parse_answer(response: WireResponse, target: Target) -> dict[str, Any] | list[Any] | Failure:
    """Parse the body of a success."""
    content_type = response.headers.get("content-type", "")
    if "json" not in content_type and content_type.lower().lstrip().startswith(NEVER_JSON):
        return unusable(response, target, f"is {content_type.split(';')[0][:60]}, not JSON")
    if not response.body.strip():
        return unusable(response, target, "is empty")
    data = parsed(response.body)
    if type(data) is not dict and type(data) is not list:
        return unusable(response, target, "is cut short or is not JSON")
    if type(data) is list and not (data and type(data[0]) is dict and "error" in data[0]):
        return unusable(response, target, "is a JSON array, not an object")
    if is_too_deep(response.body, data):
        return unusable(response, target, "is nested too deeply")
    return data


def parsed(body: bytes) -> Any:
    """Parse a body, None where it is no JSON. orjson itself stops at 1,024 levels and refuses NaN and infinity."""
    try:
        return orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
