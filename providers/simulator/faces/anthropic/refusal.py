"""The refusals of the Messages API: status, type and words."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import orjson

from providers.simulator.answer import Answer
from providers.simulator.bill import Outcome
from providers.simulator.faces.face import Headers
from providers.simulator.refusals import Refusal

_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        504: "timeout_error",
        529: "overloaded_error",
    }
)
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "context_length_exceeded": "prompt is too long: 9 tokens > 8 maximum",
        "content_filter": "Output blocked by content filtering policy",
        "invalid_api_key": "invalid x-api-key",
        "overloaded": "Overloaded",
    }
)


def refuse(refusal: Refusal, call_id: str, marks: Headers) -> Answer:
    """Write a refusal as an answer of its own."""
    wait = () if refusal.retry_after_s is None else (("retry-after", str(refusal.retry_after_s)),)
    body = orjson.dumps({**_error(refusal), "request_id": f"req_{call_id}"})
    return Answer(refusal.status, (body,), headers=(*marks, *wait, *refusal.headers), outcome=Outcome.REFUSED)


def error_event(refusal: Refusal) -> bytes:
    """Write a refusal as an event within a stream."""
    return b"event: error\ndata: " + orjson.dumps(_error(refusal)) + b"\n\n"


def _error(refusal: Refusal) -> dict[str, object]:
    kind = _TYPES.get(refusal.status, "invalid_request_error" if 400 <= refusal.status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": _WORDS.get(refusal.code or "", refusal.message)}}
