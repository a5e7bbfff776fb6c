"""Answers of the cohere dialect: recorded ones, written ones and any ones, held against OpenAI's own types."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from cohere.v2.types.v2chat_response import V2ChatResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from providers.completion import Answer, Endpoint, Usage
from providers.failure import ErrorClass as E
from providers.failure import Failure
from tests.dialects.recordings import recorded_bodies
from tests.dialects.test_any_bytes import CALM, COUNTS, ERRORS, HEADERS, TEXTS, VALUES, maybe
from tests.dialects.wire import decode

SPOKEN: dict[str, Any] = {
    "id": "c-1",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
    "finish_reason": "COMPLETE",
    "usage": {
        "billed_units": {"input_tokens": 3, "output_tokens": 2},
        "tokens": {"input_tokens": 12, "output_tokens": 9},
    },
}


def read(body: Any, **kwargs: Any) -> tuple[Answer, dict[str, Any]]:
    outcome = decode(body, dialect="cohere", **kwargs)
    assert isinstance(outcome, Answer), outcome
    data: dict[str, Any] = orjson.loads(outcome.body)
    ChatCompletion.model_validate(data)
    return outcome, data


def chosen(**changes: Any) -> dict[str, Any]:
    """The one choice of an answer whose message has other fields."""
    body = {**SPOKEN, "message": {**SPOKEN["message"], **changes}}
    V2ChatResponse.model_validate(body)
    choice: dict[str, Any] = read(body)[1]["choices"][0]
    return choice


def failed(body: Any, **kwargs: Any) -> Failure:
    outcome = decode(body, dialect="cohere", **kwargs)
    assert isinstance(outcome, Failure), outcome
    return outcome


@pytest.mark.parametrize("file", recorded_bodies("cohere"))
def test_a_recorded_answer_says_what_was_recorded(file: Path) -> None:
    recorded = orjson.loads(file.read_bytes())
    if "message" not in recorded:
        assert isinstance(decode(file.read_bytes(), dialect="cohere"), Failure)
        return
    outcome, data = read(file.read_bytes())
    message, said = data["choices"][0]["message"], recorded["message"]
    texts = [part.get("text") for part in said.get("content", ()) if part["type"] == "text"]
    thoughts = [part["thinking"] for part in said.get("content", ()) if part["type"] == "thinking"]
    assert message["content"] == (texts[0] if texts else None)
    assert message.get("reasoning_content") == (thoughts[0] if thoughts else said.get("tool_plan"))
    assert len(message.get("tool_calls", ())) == len(said.get("tool_calls", ()))
    for call, asked in zip(message.get("tool_calls", ()), said.get("tool_calls", ()), strict=True):
        assert (call["id"], call["function"]["name"]) == (asked["id"], asked["function"]["name"])
        assert orjson.loads(call["function"]["arguments"]) == (orjson.loads(asked["function"]["arguments"]) or {})
    tokens = recorded["usage"]["tokens"]
    cached = recorded["usage"]["cached_tokens"]
    assert outcome.usage == Usage(tokens["input_tokens"], tokens["output_tokens"], min(cached, tokens["input_tokens"]))
    assert data["usage"]["prompt_tokens_details"]["cached_tokens"] == cached
    assert outcome.finish_reason in {"stop", "length", "tool_calls"}
    assert data["id"] == recorded["id"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("ERROR_LIMIT", "length"),
        ("TOOL_CALL", "tool_calls"),
        ("ERROR_TOXIC", "content_filter"),
        ("SOMETHING_NEW", "stop"),
    ],
)
def test_every_ending_has_its_word(word: str, expected: str) -> None:
    outcome, data = read({**SPOKEN, "finish_reason": word})
    assert outcome.finish_reason == data["choices"][0]["finish_reason"] == expected


@pytest.mark.parametrize(("word", "expected"), [("ERROR", E.SERVER_ERROR), ("TIMEOUT", E.TIMEOUT)])
def test_an_answer_that_broke_off_is_a_failure_that_may_have_been_billed(word: str, expected: E) -> None:
    failure = failed({**SPOKEN, "finish_reason": word})
    assert (failure.error_class, failure.code, failure.outcome_unknown) == (expected, word, True)


def test_thinking_comes_before_the_plan_and_neither_is_answer_text() -> None:
    content = [{"type": "thinking", "thinking": "Hm. "}, {"type": "text", "text": "So"}, {"type": "text", "text": "."}]
    message = chosen(content=content, tool_plan="I will look.")["message"]
    assert (message["content"], message["reasoning_content"]) == ("So.", "Hm. I will look.")


@pytest.mark.parametrize("arguments", ["null", "", None, "{}"])
def test_a_call_without_arguments_has_an_empty_object(arguments: str | None) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": arguments}}
    (read_call,) = chosen(content=None, tool_calls=[call])["message"]["tool_calls"]
    assert read_call == {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}


def test_citations_are_kept_beside_the_annotations_that_clients_know() -> None:
    citation = {
        "start": 0,
        "end": 5,
        "text": "Hello",
        "sources": [{"type": "document", "id": "d", "document": {"a": "b"}}],
    }
    message = chosen(citations=[citation])["message"]
    assert (message["annotations"], message["provider_annotations"]) == ([], [citation])


def test_log_probabilities_of_a_piece_multiply() -> None:
    items = [
        {"token_ids": [1, 2], "text": "Hé", "logprobs": [-0.5, -0.25]},
        {"token_ids": [3], "text": "llo", "logprobs": [-1]},
        {"token_ids": [4]},
    ]
    _, data = read({**SPOKEN, "logprobs": items})
    assert data["choices"][0]["logprobs"]["content"] == [
        {"token": "Hé", "logprob": -0.75, "bytes": [72, 195, 169], "top_logprobs": []},
        {"token": "llo", "logprob": -1, "bytes": [108, 108, 111], "top_logprobs": []},
    ]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (SPOKEN["usage"], Usage(12, 9)),
        ({"tokens": {"input_tokens": 12.0, "output_tokens": 9.0}, "cached_tokens": 5.0}, Usage(12, 9, 5)),
        ({"billed_units": {"input_tokens": 3}}, Usage(3)),
        ({"billed_units": {"search_units": 1}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_usage_is_what_the_model_counted(usage: Any, expected: Usage | None) -> None:
    assert read({**SPOKEN, "usage": usage})[0].usage == expected


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "invalid request: temperature must be between 0 and 1.0 inclusive.", E.BAD_REQUEST),
        (400, "too many tokens: size limit exceeded by 11326 tokens.", E.CONTEXT_LENGTH),
        (401, "invalid api token", E.AUTH),
        (402, "please add or update your payment method", E.BILLING),
        (403, "forbidden", E.PERMISSION),
        (404, "model 'x' not found", E.NOT_FOUND),
        (422, "unprocessable", E.BAD_REQUEST),
        (429, "You are past the per minute request limit, please wait and try again later.", E.RATE_LIMIT),
        (498, "the prompt was blocked", E.CONTENT_FILTER),
        (499, "request cancelled", E.TIMEOUT),
        (500, "internal server error", E.SERVER_ERROR),
        (501, "not implemented", E.BAD_REQUEST),
        (503, "service unavailable", E.OVERLOADED),
        (504, "gateway timeout", E.TIMEOUT),
    ],
)
def test_every_status_has_its_class(status: int, message: str, expected: E) -> None:
    failure = failed({"message": message, "id": "e-1"}, status=status)
    assert (failure.error_class, failure.http_status, failure.message) == (expected, status, message)
    assert failed(b"<html>", status=status).error_class is (E.BAD_REQUEST if expected is E.CONTEXT_LENGTH else expected)


@pytest.mark.parametrize(
    "body", [{}, {"message": {}}, {"message": None, "finish_reason": "COMPLETE"}, {**SPOKEN, "message": 1}]
)
def test_a_success_of_another_shape_is_no_answer(body: Any) -> None:
    failure = failed(body)
    assert (failure.error_class, failure.outcome_unknown) == (E.INVALID_RESPONSE, True)


PARTS = st.fixed_dictionaries(
    {}, optional={"type": maybe(st.sampled_from(["text", "thinking"])), "text": maybe(TEXTS), "thinking": maybe(TEXTS)}
)
CALLS = st.fixed_dictionaries(
    {},
    optional={
        "id": maybe(TEXTS),
        "function": maybe(st.fixed_dictionaries({"name": maybe(TEXTS)}, optional={"arguments": VALUES})),
    },
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "content": maybe(st.lists(maybe(PARTS), max_size=3)),
        "tool_plan": maybe(TEXTS),
        "tool_calls": maybe(st.lists(maybe(CALLS), max_size=2)),
        "citations": VALUES,
    },
)
TOKENS = st.fixed_dictionaries({}, optional={"input_tokens": COUNTS, "output_tokens": COUNTS})
WORDS = st.sampled_from(["COMPLETE", "MAX_TOKENS", "TOOL_CALL", "ERROR", "TIMEOUT"])
ANSWERS = st.fixed_dictionaries(
    {"message": maybe(MESSAGES), "finish_reason": maybe(WORDS)},
    optional={
        "id": maybe(TEXTS),
        "usage": maybe(st.fixed_dictionaries({}, optional={"tokens": maybe(TOKENS), "cached_tokens": COUNTS})),
        "logprobs": VALUES,
    },
)


@settings(CALM, max_examples=300)
@given(ANSWERS | ERRORS, st.sampled_from([200, 200, 400, 429, 498]), HEADERS)
def test_whatever_passes_as_an_answer_satisfies_the_official_types(
    body: dict[str, Any], status: int, headers: dict[str, str]
) -> None:
    outcome = decode(body, status=status, headers=headers, dialect="cohere")
    if isinstance(outcome, Answer):
        ChatCompletion.model_validate(orjson.loads(outcome.body))
    else:
        assert 0 < len(outcome.message) <= 1_000


@settings(CALM, max_examples=100)
@given(st.binary(max_size=100) | VALUES.map(orjson.dumps), st.sampled_from(Endpoint))
def test_no_bytes_make_decoding_raise(content: bytes, endpoint: Endpoint) -> None:
    assert isinstance(decode(content, endpoint=endpoint, dialect="cohere"), Answer | Failure)
