"""A refusal in Google's words: the error of its APIs, or a prompt that was blocked."""

from dataclasses import replace
from typing import Any

from providers.dialects.error_body import ErrorBody, read_error

_A_DAY = "24h"


def read_refusal(data: Any, *, refused: bool) -> ErrorBody | None:
    """Find a refusal in a parsed body; None where there is none. `refused` says that the HTTP status is an error.

    Google's `code` is the status once more; its words are the reason in the details and the `status`.
    A prompt that is blocked comes back as a success without candidates. It is a refusal all the same: nothing was
    answered, and the same prompt will not be answered next time, as with the servers that say so with a 400.
    """
    if type(data) is dict and not data.get("candidates") and _is_blocked(data.get("promptFeedback")):
        return _blocked(data["promptFeedback"])
    error = read_error(data, refused=refused)
    if error is None:
        return None
    error = replace(error, code=next((code for code in error.codes if not code.isdigit()), error.code))
    if "FAILED_PRECONDITION" in error.codes:
        return replace(error, codes=(*_precondition(error.message), *error.codes))
    return replace(error, retry_delay=_A_DAY) if _is_spent_for_today(data) else error


def _is_blocked(feedback: Any) -> bool:
    return type(feedback) is dict and type(feedback.get("blockReason")) is str


def _blocked(feedback: dict[str, Any]) -> ErrorBody:
    reason, words = feedback["blockReason"], feedback.get("blockReasonMessage")
    message = f"the prompt was blocked: {words if type(words) is str and words else reason}"
    return ErrorBody(message, codes=("content_filter",), code=reason)


def _precondition(message: str) -> tuple[str, ...]:
    """Tell from the text which condition of the account is not met: only there it is said."""
    words = message.lower()
    if "billing" in words:
        return ("billing_error",)
    return ("permission_error",) if "location" in words or "country" in words or "region" in words else ()


def _is_spent_for_today(data: Any) -> bool:
    """Tell whether a quota of a day is used up. The delay that stands beside it is that of a minute's quota."""
    body = data[0] if type(data) is list else data
    error = body.get("error")
    details = error.get("details") if type(error) is dict else None
    violations = [
        violation
        for detail in (details if type(details) is list else ())
        if type(detail) is dict and type(detail.get("violations")) is list
        for violation in detail["violations"]
    ]
    return any(type(item) is dict and "PerDay" in str(item.get("quotaId", "")) for item in violations)
