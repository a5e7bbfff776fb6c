"""The exceptions of Bedrock: status, name and words."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import orjson

from providers.simulator.answer import Answer
from providers.simulator.bill import Outcome
from providers.simulator.faces.face import Headers
from providers.simulator.refusals import Refusal

_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "UnrecognizedClientException",
        402: "AccessDeniedException",
        403: "AccessDeniedException",
        404: "ResourceNotFoundException",
        408: "ModelTimeoutException",
        424: "ModelErrorException",
        429: "ThrottlingException",
        500: "InternalServerException",
        503: "ServiceUnavailableException",
        529: "ServiceUnavailableException",
    }
)
_STATUSES: Final[Mapping[int, int]] = MappingProxyType({401: 403, 402: 403, 529: 503})
"""Where AWS answers with another HTTP status than most."""
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "context_length_exceeded": "The model returned the following errors: prompt is too long: 9 tokens > 8 maximum",
        "content_filter": "The model returned the following errors: Output blocked by content filtering policy",
        "invalid_api_key": "The security token included in the request is invalid.",
        "insufficient_quota": "Model access is denied due to INVALID_PAYMENT_INSTRUMENT: a valid one must be provided.",
        "rate_limit_exceeded": "Too many requests, please wait before trying again.",
    }
)


def refuse(refusal: Refusal, marks: Headers) -> Answer:
    """Write an exception as an answer of its own; a model that does not exist is a wrong request here."""
    status, name = _STATUSES.get(refusal.status, refusal.status), exception_name(refusal)
    message = words(refusal)
    if refusal.code == "model_not_found" and refusal.param == "model":
        status, name, message = 400, "ValidationException", "The provided model identifier is invalid."
    kind = ("x-amzn-errortype", f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/")
    body = orjson.dumps({"message": message})
    return Answer(status, (body,), headers=(*marks, kind, *refusal.headers), outcome=Outcome.REFUSED)


def exception_name(refusal: Refusal) -> str:
    """Return the name of the exception that a refusal is."""
    return _NAMES.get(
        refusal.status, "ValidationException" if 400 <= refusal.status < 500 else "InternalServerException"
    )


def words(refusal: Refusal) -> str:
    """Return the message of a refusal."""
    return _WORDS.get(refusal.code or "", refusal.message)
