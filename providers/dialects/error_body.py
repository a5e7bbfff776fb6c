"""An error body: the shapes in which servers word a refusal, read into one value.

{"error": {"message", "type", "param", "code"}}            the dialect's own; code may be a number
{"error": "text"}   {"code": "..", "error": "text"}        error is a bare string
{"object": "error", "message", "type", "param", "code"}    flat
{"detail": [{"loc", "msg"}]}   {"detail": "text"}          FastAPI
{"errors": [{"code", "message"}], "success": false}        an API front
{"code": 50501, "message"}   {"statusCode": 401, "message"}
[{"error": {..}}]                                          a list of one
{"base_resp": {"status_code", "status_msg"}}               inside an HTTP 200
"""

from dataclasses import dataclass
from typing import Any

HTTP_ERRORS = range(400, 600)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error body says; empty strings and None where it is silent."""

    message: str = ""
    codes: tuple[str, ...] = ()
    """Every machine word in it, the most specific first: inner code, code, type, status."""
    code: str | None = None
    """The one worth showing: the provider's own code, else its type."""
    param: str | None = None
    status: int | None = None
    """An HTTP status given in the body, where it differs from the envelope's."""
    retry_delay: str | None = None
    """A delay such as `34.4s` from structured details."""


def read_error(data: Any, *, refused: bool) -> ErrorBody | None:
    """Find an error in a parsed body; None where there is none.

    `refused` says that the HTTP status is an error: then flat shapes count too. In a success only what cannot
    be part of an answer counts, as some servers refuse with HTTP 200.
    """
    if isinstance(data, list) and data and isinstance(data[0], dict):
        data = data[0]
    if not isinstance(data, dict):
        return None
    error = data.get("error")
    if error:
        return _from_error_field(error, data)
    if isinstance(base := data.get("base_resp"), dict) and base.get("status_code"):
        return _from_base_resp(base)
    if data.get("object") == "error" or (refused and isinstance(data.get("message"), str)):
        return _from_mapping(data)
    if isinstance(errors := data.get("errors"), list) and errors and (refused or data.get("success") is False):
        return _from_mapping(errors[0]) if isinstance(errors[0], dict) else ErrorBody(message=str(errors[0]))
    if refused and (detail := data.get("detail")):
        return _from_detail(detail)
    if "choices" not in data and isinstance(data.get("message"), str) and data.get("code"):
        return _from_mapping(data)
    return None


def _from_error_field(error: Any, data: dict[str, Any]) -> ErrorBody:
    if isinstance(error, dict):
        return _from_mapping(error)
    outer = {key: data.get(key) for key in ("code", "type", "error_type", "param")}
    return _from_mapping({**outer, "message": error if isinstance(error, str) else str(error)})


def _from_base_resp(base: dict[str, Any]) -> ErrorBody:
    code = str(base["status_code"])
    return ErrorBody(message=_text(base.get("status_msg")), codes=(f"base_resp:{code}",), code=code)


def _from_detail(detail: Any) -> ErrorBody:
    if isinstance(detail, dict):
        inner = read_error(detail, refused=True)
        return inner or ErrorBody(message=_text(detail.get("msg") or detail.get("reason")))
    if not isinstance(detail, list):
        return ErrorBody(message=_text(detail))
    items = [item for item in detail if isinstance(item, dict)]
    places = [".".join(str(part) for part in _list(item.get("loc"))) for item in items]
    message = "; ".join(f"{place}: {_text(item.get('msg'))}" for place, item in zip(places, items, strict=True))
    return ErrorBody(message=message, param=places[0].removeprefix("body.") if places else None)


def _from_mapping(error: dict[str, Any]) -> ErrorBody:
    """Read the dialect's own error object, and what Azure, Google and gateways add to it."""
    words = [*_inner_codes(error), error.get("code"), error.get("type"), error.get("error_type"), error.get("status")]
    codes = tuple(str(word) for word in words if isinstance(word, str | int) and not isinstance(word, bool) and word)
    own = next((str(error[key]) for key in ("code", "type", "error_type", "status") if _is_word(error.get(key))), None)
    return ErrorBody(
        message=_text(error.get("message")) or _text(error.get("msg")),
        codes=codes,
        code=own,
        param=error["param"] if isinstance(error.get("param"), str) and error["param"] else None,
        status=_http_status(error),
        retry_delay=_retry_delay(error),
    )


def _inner_codes(error: dict[str, Any]) -> list[Any]:
    """Collect the words that narrow the outer code: Azure's innererror, Google's details, gateways' metadata."""
    found: list[Any] = []
    for key in ("innererror", "inner_error"):
        if isinstance(inner := error.get(key), dict):
            found.append(inner.get("code"))
    found += [item.get("reason") for item in _list(error.get("details")) if isinstance(item, dict)]
    details = error.get("details")
    if isinstance(details, dict):
        found.append(details.get("error_code"))
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and metadata.get("reasons"):
        found.append("moderation")
    return found


def _retry_delay(error: dict[str, Any]) -> str | None:
    for item in _list(error.get("details")):
        if isinstance(item, dict) and str(item.get("@type", "")).endswith("RetryInfo"):
            delay = item.get("retryDelay")
            return delay if isinstance(delay, str) else None
    return None


def _http_status(error: dict[str, Any]) -> int | None:
    for key in ("status_code", "statusCode", "code"):
        value = error.get(key)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value in HTTP_ERRORS:
            return value
    return None


def _is_word(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
