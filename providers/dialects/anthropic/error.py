"""An error of the Messages API, in a refusal or in the middle of a stream, where no status goes with it."""

from dataclasses import replace
from typing import Any

from providers.dialects.error_body import ErrorBody, read_error

_STATUSES = {"invalid_request_error": 400, "request_too_large": 413}
"""Of the kinds whose name alone does not tell the class of the failure."""


def read_anthropic_error(data: Any, *, refused: bool = False) -> ErrorBody | None:
    """Find an error; None where there is none. `refused` says that the HTTP status is an error."""
    found = read_error(data, refused=refused)
    if found is None or found.status is not None:
        return found
    status = next((_STATUSES[code] for code in found.codes if code in _STATUSES), None)
    return replace(found, status=status)
