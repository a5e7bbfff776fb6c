"""Refusals: why a call is not served, with the error body of OpenAI's shape; other shapes are the faces' business."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

import orjson

from providers.simulator.behaviours import Behaviour


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer other than a completion, in the terms of OpenAI's `error` object; faces write it in their own."""

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    retry_after_s: int | None = None
    """After how long the same call may be tried again; null says nothing of it."""
    retry_after_ms: int | None = None
    """The same to the millisecond, where it is known that well."""
    headers: tuple[tuple[str, str], ...] = ()
    """Further response headers as the face in question spells them, names in lower case."""

    def body(self) -> bytes:
        """Return the JSON body in OpenAI's shape."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return orjson.dumps({"error": error})


class Refused(Exception):
    """A request that cannot be served; carries the refusal to answer with."""

    def __init__(self, refusal: Refusal) -> None:
        """Keep the refusal."""
        super().__init__(refusal.message)
        self.refusal = refusal


def bad_request(message: str, param: str | None = None, code: str | None = None) -> Refused:
    """Return the exception for a request with a wrong field."""
    return Refused(Refusal(400, message, code=code, param=param))


def rate_limited(message: str, retry_after_ms: int | None = None) -> Refusal:
    """Return a 429 that tells how long to wait, to the second and to the millisecond, or does not tell."""
    wait_s = None if retry_after_ms is None else -(-retry_after_ms // 1_000)
    return Refusal(429, message, "requests", "rate_limit_exceeded", retry_after_s=wait_s, retry_after_ms=retry_after_ms)


def for_status(status: int, retry_after_s: int | None) -> Refusal:
    """Return the usual refusal of an HTTP status (400 to 599)."""
    if status == 429:
        return replace(rate_limited("Rate limit reached (simulated)."), retry_after_s=retry_after_s)
    kind, code = _KINDS.get(status, ("server_error" if status >= 500 else "invalid_request_error", None))
    name = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Overloaded"
    return Refusal(status, f"{name} (simulated).", kind, code, retry_after_s=retry_after_s if status == 503 else None)


def for_parallel(bound: int, retry_after_s: int | None) -> Refusal:
    """Return the 429 of a call that is one too many at the same time."""
    return replace(rate_limited(f"More than {bound} calls in flight."), retry_after_s=retry_after_s)


def for_behaviour(behaviour: Behaviour, retry_after_s: int | None) -> Refusal | None:
    """Return what a refusing model always answers; None when the model is not a refusing one."""
    status = _STATUSES.get(behaviour)
    return _SPECIAL.get(behaviour) if status is None else for_status(status, retry_after_s)


_KINDS: Final[Mapping[int, tuple[str, str | None]]] = MappingProxyType(
    {
        401: ("invalid_request_error", "invalid_api_key"),
        402: ("insufficient_quota", "insufficient_quota"),
        403: ("permission_error", "permission_denied"),
        404: ("invalid_request_error", "model_not_found"),
        503: ("server_error", "service_unavailable"),
        529: ("overloaded_error", "overloaded"),
    }
)

_STATUSES: Final[Mapping[Behaviour, int]] = MappingProxyType(
    {
        Behaviour.RATE_LIMITED: 429,
        Behaviour.SERVER_ERROR: 500,
        Behaviour.UNAVAILABLE: 503,
        Behaviour.OVERLOADED: 529,
        Behaviour.BAD_REQUEST: 400,
        Behaviour.UNAUTHENTICATED: 401,
        Behaviour.PAYMENT_REQUIRED: 402,
        Behaviour.FORBIDDEN: 403,
        Behaviour.NOT_FOUND: 404,
    }
)

_SPECIAL: Final[Mapping[Behaviour, Refusal]] = MappingProxyType(
    {
        Behaviour.CONTEXT: Refusal(
            400,
            "This model's maximum context length is 8 tokens (simulated). Please shorten the messages.",
            code="context_length_exceeded",
            param="messages",
        ),
        Behaviour.FILTER: Refusal(
            400, "The prompt was refused by a content filter (simulated).", code="content_filter"
        ),
        Behaviour.ERROR_200: Refusal(200, "Provider returned error (simulated).", "server_error", "provider_error"),
    }
)
