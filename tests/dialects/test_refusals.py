"""Refusals: every shape of error body and every status ends in the right class, message and delay."""

from typing import Any

import pytest

from providers.dialects.redaction import redact
from providers.dialects.refusals import BY_STATUS
from providers.failure import ErrorClass
from tests.dialects.wire import KEY, failure, target

E = ErrorClass


def error(message: str = "no", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


CASES: list[tuple[int, Any, ErrorClass]] = [
    # the request
    (400, error(code="unsupported_value", type="invalid_request_error"), E.BAD_REQUEST),
    (400, error("Unsupported parameter", code="unsupported_parameter"), E.BAD_REQUEST),
    (400, error(code="tool_use_failed"), E.BAD_REQUEST),
    (422, {"detail": [{"loc": ["body", "seed"], "msg": "extra forbidden"}]}, E.BAD_REQUEST),
    (409, error(), E.BAD_REQUEST),
    (413, error("Request too large on tokens per minute", code="rate_limit_exceeded"), E.BAD_REQUEST),
    (415, b"", E.BAD_REQUEST),
    (405, b"", E.BAD_REQUEST),
    # keys, rights and money
    (401, error("Incorrect API key", code="invalid_api_key", type="invalid_request_error"), E.AUTH),
    (401, b"", E.AUTH),
    (400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***k"}, E.AUTH),
    (
        400,
        [error("API key not valid", code=400, status="INVALID_ARGUMENT", details=[{"reason": "API_KEY_INVALID"}])],
        E.AUTH,
    ),
    (200, {"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, E.AUTH),
    (200, {"base_resp": {"status_code": 2049, "status_msg": "invalid api key"}}, E.AUTH),
    (403, error(), E.PERMISSION),
    (402, error("Insufficient Balance"), E.BILLING),
    (429, error("You exceeded your current quota", code="insufficient_quota", type="insufficient_quota"), E.BILLING),
    (429, error(code="credit_balance_exhausted"), E.BILLING),
    (400, error(type="billing_error"), E.BILLING),
    (200, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, E.BILLING),
    (429, error("no balance", code="1113"), E.BILLING),
    # unknown models
    (404, error(code="model_not_found"), E.NOT_FOUND),
    (404, {"error": {"code": "DeploymentNotFound", "message": "no"}}, E.NOT_FOUND),
    (404, b"<html>", E.NOT_FOUND),
    # limits and load
    (429, error(), E.RATE_LIMIT),
    (429, {"error": {"code": "429", "message": "retry after 20 seconds"}}, E.RATE_LIMIT),
    (200, {"error": {"code": 429, "message": "Provider returned error"}}, E.RATE_LIMIT),
    (429, {"message": "no", "type": "too_many_requests_error", "code": "token_quota_exceeded"}, E.RATE_LIMIT),
    (429, error(code=429, status="RESOURCE_EXHAUSTED"), E.RATE_LIMIT),
    (429, error(code="1302"), E.RATE_LIMIT),
    (200, {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, E.RATE_LIMIT),
    (429, {"error": "Model is overloaded", "error_type": "overloaded"}, E.OVERLOADED),
    (429, {"message": "We're full", "type": "too_many_requests_error", "code": "queue_exceeded"}, E.OVERLOADED),
    (498, error("capacity exceeded"), E.OVERLOADED),
    (503, error(code=503, status="UNAVAILABLE"), E.OVERLOADED),
    (529, error(type="overloaded_error"), E.OVERLOADED),
    (500, error(type="overloaded_error"), E.OVERLOADED),
    # length
    (
        400,
        error("This model's maximum context length is 8192 tokens", code="context_length_exceeded"),
        E.CONTEXT_LENGTH,
    ),
    (400, error("This model's maximum context length is 8192 tokens"), E.CONTEXT_LENGTH),
    (400, error("prompt is too long: 210000 tokens > 200000 maximum"), E.CONTEXT_LENGTH),
    (400, error("Input is too long for requested model"), E.CONTEXT_LENGTH),
    (413, error("Too many tokens in the prompt"), E.CONTEXT_LENGTH),
    (400, error("input length and max_tokens exceed context limit"), E.CONTEXT_LENGTH),
    (400, error("exceeds the maximum number of tokens allowed (1)"), E.CONTEXT_LENGTH),
    (500, error("the request exceeds the available context size"), E.CONTEXT_LENGTH),
    (400, error("the input length exceeds the context length"), E.CONTEXT_LENGTH),
    (400, error("Output blocked by content filtering policy"), E.CONTENT_FILTER),
    (400, error("Your credit balance is too low to access the API"), E.BILLING),
    (400, {"message": "Current length is 9000 while limit is 8192"}, E.CONTEXT_LENGTH),
    (400, {"object": "error", "message": "The prompt is longer than the model's context length"}, E.CONTEXT_LENGTH),
    (
        422,
        {"error": "`inputs` tokens + `max_new_tokens` must be <= 4096", "error_type": "validation"},
        E.CONTEXT_LENGTH,
    ),
    (400, error("Input tokens exceed the configured limit of 272000"), E.CONTEXT_LENGTH),
    (400, error("prompt tokens (9000) exceed model maximum (8192)"), E.CONTEXT_LENGTH),
    (200, {"base_resp": {"status_code": 1039, "status_msg": "tokens"}}, E.CONTEXT_LENGTH),
    (400, error("string too long: too many tokens", code="string_above_max_length"), E.BAD_REQUEST),
    (429, error("too many tokens per minute"), E.RATE_LIMIT),
    # filters
    (400, error(code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}), E.CONTENT_FILTER),
    (400, error(innererror={"code": "ResponsibleAIPolicyViolation"}), E.CONTENT_FILTER),
    (400, error(code="data_inspection_failed"), E.CONTENT_FILTER),
    (403, {"error": {"code": 403, "message": "flagged", "metadata": {"reasons": ["violence"]}}}, E.CONTENT_FILTER),
    (400, error(code="1301"), E.CONTENT_FILTER),
    (200, {"base_resp": {"status_code": 1026, "status_msg": "sensitive"}}, E.CONTENT_FILTER),
    (200, {"base_resp": {"status_code": 1027, "status_msg": "sensitive"}}, E.CONTENT_FILTER),
    # the server
    (500, error(type="server_error"), E.SERVER_ERROR),
    (502, b"<html>Bad Gateway</html>", E.SERVER_ERROR),
    (502, {"error": {"code": 502, "message": "Provider returned error"}}, E.SERVER_ERROR),
    (200, {"error": {"code": 502, "message": "Provider returned error"}}, E.SERVER_ERROR),
    (200, {"error": "something odd"}, E.SERVER_ERROR),
    (424, error(), E.SERVER_ERROR),
    (520, b"", E.SERVER_ERROR),
    (524, b"", E.SERVER_ERROR),
    (200, {"errors": [{"code": 7000, "message": "No route"}], "success": False}, E.SERVER_ERROR),
    # time
    (408, error(), E.TIMEOUT),
    (504, b"", E.TIMEOUT),
    (500, error(type="timeout_error"), E.TIMEOUT),
    (504, error(code=504, status="DEADLINE_EXCEEDED"), E.TIMEOUT),
]


@pytest.mark.parametrize(("status", "body", "error_class"), CASES)
def test_a_refusal_has_the_class_of_its_body_or_else_of_its_status(
    status: int, body: Any, error_class: ErrorClass
) -> None:
    outcome = failure(body, status=status)
    assert outcome.error_class is error_class
    assert outcome.http_status == status
    assert outcome.message
    assert outcome.provider_request_id == "req_1"


@pytest.mark.parametrize("status", range(400, 600))
def test_every_error_status_without_a_body_has_a_class(status: int) -> None:
    usual = E.BAD_REQUEST if status < 500 else E.SERVER_ERROR
    assert failure(b"", status=status).error_class is BY_STATUS.get(status, usual)


def test_only_a_timeout_of_the_provider_leaves_the_outcome_open() -> None:
    assert failure(b"", status=504).outcome_unknown
    assert not failure(b"", status=500).outcome_unknown
    assert not failure(error(), status=429).outcome_unknown
    assert not failure({"error": {"code": 502, "message": "no"}}).outcome_unknown


@pytest.mark.parametrize(
    ("body", "message", "code", "param"),
    [
        (error("bad", code="c", param="p", type="t"), "bad", "c", "p"),
        (error("bad", type="t", code=None, param=None), "bad", "t", None),
        (error("bad", code=400), "bad", "400", None),
        ({"error": "bad"}, "bad", None, None),
        ({"code": "c", "error": "bad"}, "bad", "c", None),
        ({"message": "bad", "type": "t", "param": "p", "code": "c"}, "bad", "c", "p"),
        ({"object": "error", "message": "bad", "type": "t"}, "bad", "t", None),
        ({"detail": [{"loc": ["body", "seed"], "msg": "extra"}]}, "body.seed: extra", None, "seed"),
        ({"detail": "bad"}, "bad", None, None),
        ({"detail": {"error": "bad"}}, "bad", None, None),
        ({"errors": [{"code": 7000, "message": "bad"}], "success": False}, "bad", "7000", None),
        ({"code": 50501, "message": "bad", "data": None}, "bad", "50501", None),
        ({"statusCode": 401, "message": "bad"}, "bad", None, None),
        ([error("bad", code="c")], "bad", "c", None),
    ],
)
def test_every_shape_of_error_body_is_read(body: Any, message: str, code: str | None, param: str | None) -> None:
    outcome = failure(body, status=400)
    assert (outcome.message, outcome.code, outcome.param) == (message, code, param)


def test_an_unreadable_refusal_is_worded_by_us() -> None:
    html = failure(b"<html>secret internals</html>", status=502, headers={"content-type": "text/html"})
    assert html.message == "provider 'acme' answered HTTP 502 with an HTML page"
    assert failure(b"", status=503).message == "provider 'acme' answered HTTP 503 with an empty body"
    assert failure(b"{}", status=500).message == "provider 'acme' answered HTTP 500 with no error message"


@pytest.mark.parametrize(
    ("headers", "body", "delay_ms"),
    [
        ({"retry-after-ms": "250", "retry-after": "9"}, error(), 250),
        ({"retry-after": "9", "x-ms-retry-after-ms": "1"}, error(), 9_000),
        ({"retry-after": "0.5"}, error(), 500),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, error(), 30_000),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, error(), 0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT", "date": "nonsense"}, error(), None),
        ({"x-ms-retry-after-ms": "700"}, error("try again in 9s"), 700),
        ({"x-ratelimit-reset-after": "1.5"}, error(), 1_500),
        ({"retry-after": "100000"}, error(), 600_000),
        ({"retry-after": "-5"}, error(), 0),
        ({"retry-after": "soon"}, error("Please try again in 1.5s."), 1_500),
        ({"retry-after": "nan"}, error(), None),
        ({"retry-after": "inf"}, error(), None),
        ({}, error("Please try again in 250ms."), 250),
        ({}, error("Please try again in 2m3s. Visit us"), 123_000),
        ({}, error("Please try again in 20 seconds"), 20_000),
        ({}, error("Please retry after 3 hours"), 600_000),
        ({}, error("try again in a while"), None),
        ({}, error(details=[{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}]), 34_400),
        ({}, error(), None),
    ],
)
def test_the_delay_comes_from_the_first_source_that_has_one(
    headers: dict[str, str], body: Any, delay_ms: int | None
) -> None:
    assert failure(body, status=429, headers=headers).retry_after_ms == delay_ms


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        "sk-proj-abcdefghijklmnop",
        "sk-proj-********************wxyz",
        "gsk_abcdefghijk",
        "AIzaSyA0123456789abcdefghijklmnopqrstuv",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc",
        "Bearer abc.def",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_no_key_survives_in_a_message(secret: str) -> None:
    outcome = failure(error(f"the credential {secret} was refused", code=f"c-{secret}"), status=401)
    assert secret not in outcome.message
    assert secret not in str(outcome)
    assert outcome.message.startswith("the credential [redacted]")


def test_the_calls_own_key_is_removed_whatever_its_shape() -> None:
    own = target(api_key="horse-battery")
    assert redact("the key horse-battery was refused", own) == "the key [redacted] was refused"
    assert redact("nothing to hide", target(api_key=None)) == "nothing to hide"


def test_what_a_credential_is_made_of_is_removed_and_short_words_stay() -> None:
    signed = target(api_key=None, secrets=(("session_token", "IQoJ+b3/JpZ2lu=="), ("profile", "prod")))
    assert redact("token IQoJ+b3/JpZ2lu== of prod", signed) == "token [redacted] of prod"


def test_a_message_keeps_request_ids_and_is_cut() -> None:
    uuid = "123e4567-e89b-12d3-a456-426614174000"
    outcome = failure(error(f"request {uuid} " + "no " * 1_000), status=400)
    assert uuid in outcome.message
    assert len(outcome.message) == 1_000


def test_an_oversized_message_costs_no_time_to_redact() -> None:
    assert len(failure(error("a" * 5_000_000), status=400).message) <= 1_000
