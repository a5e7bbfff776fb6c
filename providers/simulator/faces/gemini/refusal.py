"""The refusals of Google's APIs: code, status word and details."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from providers.simulator.refusals import Refusal

_STATUSES: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        429: "RESOURCE_EXHAUSTED",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }
)
_CODES: Final[Mapping[str, int]] = MappingProxyType(
    {"invalid_api_key": 400, "overloaded": 503, "insufficient_quota": 400}
)
"""Where Google answers with another HTTP status than most."""
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "context_length_exceeded": "The input token count (9) exceeds the maximum number of tokens allowed (8).",
        "invalid_api_key": "API key not valid. Please pass a valid API key.",
        "overloaded": "The model is overloaded. Please try again later.",
        "insufficient_quota": "The free tier is not available here. Please enable billing on your project.",
    }
)
_TYPES: Final = "type.googleapis.com/google.rpc"


def error(refusal: Refusal) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status and the body of a refusal."""
    status = _CODES.get(refusal.code or "", refusal.status)
    word = _STATUSES.get(status, "INVALID_ARGUMENT" if 400 <= status < 500 else "INTERNAL")
    if refusal.code == "insufficient_quota":
        word = "FAILED_PRECONDITION"
    said: dict[str, Any] = {"code": status, "message": _WORDS.get(refusal.code or "", refusal.message), "status": word}
    if details := list(_details(refusal)):
        said["details"] = details
    return status, {"error": said}


def blocked(model: str, call_id: str) -> dict[str, Any]:
    """Return the body of a prompt that a filter has stopped."""
    return {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 8, "totalTokenCount": 8},
        "modelVersion": model,
        "responseId": call_id,
    }


def _details(refusal: Refusal) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = []
    if refusal.code == "invalid_api_key":
        domain = {"domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"}}
        details.append({"@type": f"{_TYPES}.ErrorInfo", "reason": "API_KEY_INVALID", **domain})
    if refusal.retry_after_s is not None:
        details.append({"@type": f"{_TYPES}.RetryInfo", "retryDelay": f"{refusal.retry_after_s}s"})
    return details
