"""Why a provider call did not give an answer: the closed list of error classes and the failure value.

Callers branch on the class, never on the text. The same words stand in the API, the command line, the
database and the docs (docs/errors.md).
"""

from dataclasses import dataclass
from enum import StrEnum

from providers.limit import LimitReading


class ErrorClass(StrEnum):
    """The closed list of reasons for which a job, or one attempt of it, can fail."""

    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    NETWORK = "network"
    SERVER_ERROR = "server_error"
    AUTH = "auth"
    PERMISSION = "permission"
    BILLING = "billing"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    CONTEXT_LENGTH = "context_length"
    CONTENT_FILTER = "content_filter"
    BUDGET = "budget"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    INVALID_RESPONSE = "invalid_response"
    POISON = "poison"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Failure:
    """One provider call that gave no usable answer."""

    error_class: ErrorClass
    message: str
    """For the caller: what happened, free of keys, header values and prompts; at most about 1,000 characters."""
    http_status: int | None = None
    """The provider's status; None when no response arrived."""
    code: str | None = None
    """The provider's own code, e.g. `context_length_exceeded`; None when it gave none."""
    param: str | None = None
    """The request field that the provider blames, where it says so."""
    retry_after_ms: int | None = None
    """How long the provider asks us to wait, already clamped to 0..600,000 ms; None when it says nothing."""
    outcome_unknown: bool = False
    """True when the request was sent and may have been served and billed although no answer came back."""
    inexpressible: bool = False
    """True when nothing was sent, because this deployment cannot be told what the request asks for; another may."""
    provider_request_id: str | None = None
    """The provider's id of the call, from its headers or body."""
    limits: tuple[LimitReading, ...] = ()
    """What the response's headers say of the provider's rate limits."""
