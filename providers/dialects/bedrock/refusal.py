"""A refusal: the exception that Bedrock names in a header or a body, whole or inside a stream."""

import re
from collections.abc import Iterator
from typing import Any

from providers.dialects.error_body import ErrorBody, read_error
from providers.dialects.wire import WireResponse

ERROR_TYPE = "x-amzn-errortype"
_STATUSES = {
    "ValidationException": 400,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ModelTimeoutException": 408,
    "ModelErrorException": 424,
    "ModelStreamErrorException": 424,
    "ModelNotReadyException": 429,
    "ThrottlingException": 429,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
}
"""For exceptions inside a stream, whose envelope is a success."""
_NO_MODEL = re.compile(r"model identifier is invalid|on-demand throughput isn.t supported|inference profile", re.I)
_SIGNED_TEXT = "The Canonical String"
"""Begins what an unfit signature was compared with: the whole request, with the session's token in it."""
_UNPAID = "INVALID_PAYMENT_INSTRUMENT"
_NO_KEY = re.compile(r"api key|authentication failed", re.I)


def read_refusal(data: Any, response: WireResponse) -> ErrorBody | None:
    """Find an error in a response; None in one that holds none. A proxy's or a gateway's own words count as well."""
    body = data if type(data) is dict else {}
    name = _exception_name(response.headers.get(ERROR_TYPE) or _type_in(body))
    if name:
        return exception(name, body)
    if response.status < 400:
        return None
    message = body.get("message") or body.get("Message")
    if type(message) is str:
        return ErrorBody(message, codes=tuple(_readings("", message)))
    return read_error(data, refused=True)


def exception(name: str, body: dict[str, Any]) -> ErrorBody:
    """Word an exception by its name and the body that came with it. In a stream its name begins in lower case."""
    name = name[:1].upper() + name[1:]
    words = (body.get("message"), body.get("Message"), body.get("originalMessage"))
    message = next((word for word in words if type(word) is str and word), "").partition(_SIGNED_TEXT)[0].rstrip()
    return ErrorBody(message, codes=(*_readings(name, message), name), code=name, status=_STATUSES.get(name))


def _type_in(body: dict[str, Any]) -> Any:
    inner = body.get("Output")
    return body.get("__type") or (inner.get("__type") if type(inner) is dict else None)


def _exception_name(value: Any) -> str:
    """Cut `ValidationException:http://...` and `com.amazon.coral.service#ValidationException` down to the name."""
    return value.partition(":")[0].rpartition("#")[2].strip() if type(value) is str else ""


def _readings(name: str, message: str) -> Iterator[str]:
    """Name what an exception of several meanings is about, as its words tell: a wrong model, a wrong key, no money."""
    if name == "ValidationException" and _NO_MODEL.search(message):
        yield "model_not_found"
    if name in ("", "AccessDeniedException") and _NO_KEY.search(message):
        yield "invalid_api_key"
    if _UNPAID in message:
        yield "billing_error"
