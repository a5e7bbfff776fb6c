"""Errors of the Messages API, in refusals and in the middle of streams, are classified alike."""

from typing import Any

import pytest
from anthropic.types import ErrorResponse

from providers.failure import ErrorClass, Failure
from tests.dialects.anthropic.messages_api import decode, end, failure, start, streamed, text
from tests.dialects.wire import JSON

KINDS = {
    "invalid_request_error": (400, ErrorClass.BAD_REQUEST),
    "authentication_error": (401, ErrorClass.AUTH),
    "billing_error": (402, ErrorClass.BILLING),
    "permission_error": (403, ErrorClass.PERMISSION),
    "not_found_error": (404, ErrorClass.NOT_FOUND),
    "request_too_large": (413, ErrorClass.BAD_REQUEST),
    "rate_limit_error": (429, ErrorClass.RATE_LIMIT),
    "api_error": (500, ErrorClass.SERVER_ERROR),
    "timeout_error": (504, ErrorClass.TIMEOUT),
    "overloaded_error": (529, ErrorClass.OVERLOADED),
}
TOO_LONG = "prompt is too long: 208310 tokens > 200000 maximum"
UNTYPED = {"request_too_large"}
"""Kinds that are documented but stand in no type of the vendor's client."""


def error(kind: str, message: str = "No luck.", **details: Any) -> dict[str, Any]:
    body = {"type": "error", "error": {"type": kind, "message": message, **details}, "request_id": "req_2"}
    if kind not in UNTYPED:
        ErrorResponse.model_validate(body)
    return body


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_has_its_class(kind: str) -> None:
    status, error_class = KINDS[kind]
    refusal = failure(error(kind), status=status)
    assert refusal.error_class is error_class
    assert (refusal.message, refusal.code, refusal.http_status) == ("No luck.", kind, status)
    assert refusal.provider_request_id == "req_1"


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_within_a_stream_has_the_same_class(kind: str) -> None:
    _, error_class = KINDS[kind]
    broken = streamed(start(), text(0, "Hel"), error(kind), typed=False).failure
    assert broken.error_class is error_class
    assert broken.message == "No luck."
    assert broken.outcome_unknown


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_within_a_success_has_the_same_class(kind: str) -> None:
    assert failure(error(kind)).error_class is KINDS[kind][1]


def test_an_error_before_the_first_piece_lets_the_call_be_made_again() -> None:
    result = streamed(start(), {"type": "ping"}, error("overloaded_error"), typed=False)
    assert result.raw == []
    assert result.failure.error_class is ErrorClass.OVERLOADED
    assert not result.failure.outcome_unknown


def test_what_follows_an_error_is_not_read() -> None:
    result = streamed(start(), text(0, "Hel"), error("api_error"), text(1, "lo"), end(), typed=False)
    assert result.text == "Hel"
    assert isinstance(result.outcome, Failure)


def test_a_prompt_that_is_too_long_is_known_by_its_words() -> None:
    assert failure(error("invalid_request_error", TOO_LONG), status=400).error_class is ErrorClass.CONTEXT_LENGTH
    within = streamed(start(), error("invalid_request_error", TOO_LONG), typed=False)
    assert within.failure.error_class is ErrorClass.CONTEXT_LENGTH


@pytest.mark.parametrize("code", ["contract_spend_limit_reached", "enforced_spend_limit_reached"])
def test_a_limit_on_spending_is_no_limit_that_waiting_lifts(code: str) -> None:
    refusal = failure(error("rate_limit_error", details={"error_code": code}), status=429)
    assert refusal.error_class is ErrorClass.BILLING
    assert refusal.code == "rate_limit_error"


def test_the_time_to_wait_is_read_from_refusals_only() -> None:
    headers = {**JSON, "retry-after": "7"}
    assert failure(error("rate_limit_error"), status=429, headers=headers).retry_after_ms == 7_000


@pytest.mark.parametrize("content", [b"", b"<html>", b"{}", b"[1]", b'{"type":"error"}', b'{"type":"error","error":5}'])
def test_a_refusal_without_a_known_body_is_classified_by_its_status(content: bytes) -> None:
    refusal = decode(content, status=529)
    assert refusal.error_class is ErrorClass.OVERLOADED
    assert refusal.message
