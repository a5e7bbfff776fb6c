"""Whole answers, embeddings and refusals of Bedrock, beside what botocore reads in the same bytes."""

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

from providers.completion import Answer, Endpoint, Usage
from providers.dialects import Wish
from providers.failure import ErrorClass, Failure
from tests.dialects.bedrock.service_model import BASE, decode, operation, refused, theirs, written
from tests.dialects.recordings import recorded_bodies
from tests.dialects.test_any_bytes import VALUES
from tests.dialects.wire import chat_of, failure_of

WHOLE: dict[str, Any] = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Let me see. ", "signature": "seal"}}},
                {"reasoningContent": {"redactedContent": "c2VhbGVk"}},
                {"text": "It "},
                {"text": "rains."},
                {"toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": {"city": "Bonn"}}},
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": {
        "inputTokens": 10,
        "outputTokens": 7,
        "totalTokens": 25,
        "cacheReadInputTokens": 5,
        "cacheWriteInputTokens": 3,
    },
    "metrics": {"latencyMs": 12},
}


def answer(body: Any, **kwargs: Any) -> tuple[Answer, dict[str, Any]]:
    return chat_of(decode(body, **kwargs))


def failure(body: Any, **kwargs: Any) -> Failure:
    return failure_of(decode(body, **kwargs))


def changed(**fields: Any) -> dict[str, Any]:
    return {**copy.deepcopy(WHOLE), **fields}


def saying(*blocks: dict[str, Any], reason: str = "end_turn") -> dict[str, Any]:
    return changed(output={"message": {"role": "assistant", "content": list(blocks)}}, stopReason=reason)


def test_an_answer_says_what_botocore_reads_in_it() -> None:
    outcome, data = answer(WHOLE)
    parsed = theirs(WHOLE)
    blocks, message = parsed["output"]["message"]["content"], data["choices"][0]["message"]
    assert message["content"] == "".join(block["text"] for block in blocks if "text" in block)
    assert message["reasoning_content"] == blocks[0]["reasoningContent"]["reasoningText"]["text"]
    assert message["thinking_blocks"] == [
        {"type": "thinking", "thinking": "Let me see. ", "signature": "seal"},
        {"type": "redacted_thinking", "data": "c2VhbGVk"},
    ]
    (call,) = message["tool_calls"]
    assert call["id"] == blocks[4]["toolUse"]["toolUseId"]
    assert orjson.loads(call["function"]["arguments"]) == blocks[4]["toolUse"]["input"]
    assert outcome.usage == Usage(18, 7, 5, 3)
    assert data["usage"]["total_tokens"] == parsed["usage"]["totalTokens"]
    assert (data["id"], outcome.provider_request_id) == ("c0ffee-1", "c0ffee-1")
    assert (outcome.finish_reason, outcome.model) == ("tool_calls", None)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_model_output", "stop"),
        ("malformed_tool_use", "stop"),
        ("something_new", "stop"),
    ],
)
def test_every_stop_reason_ends_a_choice_and_stays_beside_it(reason: str, finish: str) -> None:
    choice = answer(saying({"text": "Hi"}, reason=reason))[1]["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == (finish, reason)


def test_every_stop_reason_of_the_service_model_is_understood() -> None:
    shape = operation("Converse").output_shape
    for reason in shape.members["stopReason"].enum:
        answer(saying({"text": "Hi"}, reason=reason))


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
def test_a_spoilt_answer_without_words_is_a_failure_that_may_have_been_billed(reason: str) -> None:
    outcome = failure(saying(reason=reason))
    assert (outcome.error_class, outcome.code, outcome.outcome_unknown) == (ErrorClass.SERVER_ERROR, reason, True)


def test_citations_are_text_and_tools_of_the_provider_are_hidden() -> None:
    cited = {"citationsContent": {"content": [{"text": "cited"}], "citations": []}}
    own = {"toolUse": {"toolUseId": "s", "name": "search", "input": {}, "type": "server_tool_use"}}
    message = answer(saying({"text": "It is "}, cited, own, {"image": {}}))[1]["choices"][0]["message"]
    assert message["content"] == "It is cited"
    assert "tool_calls" not in message


def test_the_routed_model_the_tier_and_a_guardrails_trace_are_told() -> None:
    trace = {"promptRouter": {"invokedModelId": "arn:x"}, "guardrail": {"actionReason": "none"}}
    outcome, data = answer(changed(trace=trace, serviceTier={"type": "priority"}))
    assert (outcome.model, data["model"], outcome.service_tier) == ("arn:x", "arn:x", "priority")
    assert data["trace"]["guardrail"] == {"actionReason": "none"}


def test_usage_that_cannot_be_read_costs_the_usage_only() -> None:
    for usage in (None, "none", {"inputTokens": "5"}, {"outputTokens": 5}):
        outcome, _ = answer(changed(usage=usage))
        assert outcome.usage is None


def test_the_json_tools_input_is_the_answer() -> None:
    use = {"toolUse": {"toolUseId": "t", "name": "json_answer", "input": {"a": 1}}}
    outcome, data = answer(saying({"text": "Here"}, use, reason="tool_use"), wish=Wish(json_tool="json_answer"))
    assert data["choices"][0]["message"]["content"] == '{"a":1}'
    assert outcome.finish_reason == "stop"


REFUSALS = [
    (403, "AccessDeniedException", "You don't have access to the model", ErrorClass.PERMISSION),
    (403, "AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.", ErrorClass.AUTH),
    (403, "UnrecognizedClientException", "The security token included in the request is invalid.", ErrorClass.AUTH),
    (403, "ExpiredTokenException", "The security token included in the request is expired", ErrorClass.AUTH),
    (403, "InvalidSignatureException", "The request signature we calculated does not match", ErrorClass.AUTH),
    (429, "ThrottlingException", "Too many tokens, please wait before trying again.", ErrorClass.RATE_LIMIT),
    (400, "ThrottlingException", "Too many requests", ErrorClass.RATE_LIMIT),
    (400, "ServiceQuotaExceededException", "Quota exceeded", ErrorClass.RATE_LIMIT),
    (429, "ModelNotReadyException", "Model is getting ready for inference", ErrorClass.OVERLOADED),
    (404, "ResourceNotFoundException", "Could not resolve the foundation model", ErrorClass.NOT_FOUND),
    (408, "ModelTimeoutException", "The model timed out", ErrorClass.TIMEOUT),
    (424, "ModelErrorException", "The model failed", ErrorClass.SERVER_ERROR),
    (503, "ServiceUnavailableException", "Try again", ErrorClass.OVERLOADED),
    (500, "InternalServerException", "Oops", ErrorClass.SERVER_ERROR),
    (400, "ValidationException", "The provided model identifier is invalid.", ErrorClass.NOT_FOUND),
    (
        400,
        "ValidationException",
        "Invocation of model ID x with on-demand throughput isn’t supported. Retry with an inference profile.",
        ErrorClass.NOT_FOUND,
    ),
    (400, "ValidationException", "Input is too long for requested model.", ErrorClass.CONTEXT_LENGTH),
    (400, "ValidationException", "messages: at least one message is required", ErrorClass.BAD_REQUEST),
]


@pytest.mark.parametrize(("status", "name", "message", "expected"), REFUSALS)
def test_an_exception_is_read_from_a_header_or_the_body(
    status: int, name: str, message: str, expected: ErrorClass
) -> None:
    named = {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
    for body, headers in (
        ({"message": message}, named),
        ({"Message": message}, named),
        ({"__type": f"com.amazon.coral.service#{name}", "message": message}, {}),
    ):
        found = failure(body, status=status, headers=headers)
        assert (found.error_class, found.message, found.code) == (expected, message, name)
        assert found.provider_request_id == "c0ffee-1"


def test_a_refused_signature_is_told_without_the_request_that_it_was_compared_with() -> None:
    said = (
        "The signature does not match. The Canonical String for this request was 'POST\nx-amz-security-token:IQoJ+b/w'"
    )
    found = failure({"message": said}, status=403, headers={"x-amzn-errortype": "InvalidSignatureException"})
    assert (found.error_class, found.message) == (ErrorClass.AUTH, "The signature does not match.")


def test_a_refusal_without_a_name_is_read_by_its_words_and_status() -> None:
    assert failure({"Message": "Invalid API Key format"}, status=403).error_class is ErrorClass.AUTH
    assert failure({"message": "Forbidden"}, status=403).error_class is ErrorClass.PERMISSION
    assert failure({"error": {"message": "no"}}, status=429).error_class is ErrorClass.RATE_LIMIT
    unknown = {"Output": {"__type": "com.amazon.coral.service#UnknownOperationException"}, "Version": "1.0"}
    assert failure(unknown, status=404).code == "UnknownOperationException"
    assert failure(b"<html>", status=502, headers={"content-type": "text/html"}).error_class is ErrorClass.SERVER_ERROR


def embed(body: dict[str, Any], *traits: str, model: str) -> Any:
    request = written(body, *traits, endpoint=Endpoint.EMBEDDINGS, model=model)
    assert not isinstance(request, Failure), request
    assert request.url == f"{BASE}/model/{model.replace(':', '%3A')}/invoke"
    assert dict(request.headers)["accept"] == "application/json"
    return orjson.loads(request.content)


def test_one_text_is_embedded_as_input_text_and_several_are_refused() -> None:
    titan = "amazon.titan-embed-text-v2:0"
    assert embed({"input": ["Hi"], "dimensions": 256}, "titan_embeddings", model=titan) == {
        "inputText": "Hi",
        "dimensions": 256,
    }
    several = refused({"input": ["a", "b"]}, "titan_embeddings", endpoint=Endpoint.EMBEDDINGS)
    assert several.param == "input"
    assert "one text" in several.message
    outcome = decode({"embedding": [0.5, -1.0], "inputTextTokenCount": 3}, endpoint=Endpoint.EMBEDDINGS)
    assert isinstance(outcome, Answer)
    assert outcome.usage == Usage(3, 0)
    assert CreateEmbeddingResponse.model_validate(orjson.loads(outcome.body)).data[0].embedding == [0.5, -1.0]


@pytest.mark.parametrize("vectors", [{"float": [[1.0], [2.0]]}, [[1.0], [2.0]]])
def test_a_list_of_texts_is_embedded_with_its_kind_and_counted_by_a_header(vectors: Any) -> None:
    assert embed({"input": ["a", "b"]}, "cohere_embeddings", model="cohere.embed-v4:0") == {
        "texts": ["a", "b"],
        "input_type": "search_document",
        "embedding_types": ["float"],
    }
    query = embed({"input": "a", "input_type": "search_query"}, "cohere_embeddings", model="cohere.embed-v4:0")
    assert query["input_type"] == "search_query"
    counted = {"x-amzn-bedrock-input-token-count": "4"}
    outcome = decode({"embeddings": vectors}, endpoint=Endpoint.EMBEDDINGS, headers=counted)
    assert isinstance(outcome, Answer)
    assert outcome.usage == Usage(4, 0)
    response = CreateEmbeddingResponse.model_validate(orjson.loads(outcome.body))
    assert [item.embedding for item in response.data] == [[1.0], [2.0]]


def test_a_model_without_embeddings_is_refused() -> None:
    assert refused({"input": "a"}, endpoint=Endpoint.EMBEDDINGS).param == "model"


@pytest.mark.parametrize("file", recorded_bodies("amazon-bedrock"))
def test_recorded_answers_are_read(file: Path) -> None:
    recorded = orjson.loads(file.read_bytes())
    if "output" not in recorded:
        assert failure(file.read_bytes()).error_class is ErrorClass.INVALID_RESPONSE
        return
    outcome, data = answer(file.read_bytes())
    for block in recorded["output"]["message"]["content"]:
        block.pop("type", None)  # some recordings have it beside the text, which botocore does not take
    parsed = theirs(recorded)
    blocks, message = parsed["output"]["message"]["content"], data["choices"][0]["message"]
    assert (message["content"] or "") == "".join(block.get("text", "") for block in blocks)
    calls = [block["toolUse"]["input"] for block in blocks if "toolUse" in block]
    assert [orjson.loads(call["function"]["arguments"]) for call in message.get("tool_calls", [])] == calls
    assert outcome.usage is not None
    assert outcome.usage.completion_tokens == parsed["usage"]["outputTokens"]


@st.composite
def almost_answers(draw: st.DrawFn) -> Any:
    """An answer with one of its members replaced by anything."""
    body = copy.deepcopy(WHOLE)
    place: Any = body
    for _ in range(draw(st.integers(0, 6))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place))) if isinstance(place, list) else []
        if not keys:
            break
        key = draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or draw(st.integers(0, 3)) == 0:
            place[key] = draw(VALUES)
            break
        place = place[key]
    return body


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(almost_answers() | VALUES, st.sampled_from([200, 200, 200, 400, 403, 429, 500]), st.sampled_from(Endpoint))
def test_no_body_makes_decoding_raise(body: Any, status: int, endpoint: Endpoint) -> None:
    outcome = decode(body, status=status, endpoint=endpoint)
    if isinstance(outcome, Answer) and endpoint is Endpoint.CHAT:
        ChatCompletion.model_validate(orjson.loads(outcome.body))
