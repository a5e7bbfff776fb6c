"""Gemini on Vertex: where it differs from Google AI Studio."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from openai.types import CreateEmbeddingResponse

from providers.completion import Answer, Endpoint, Target, Usage
from providers.dialects import WireRequest
from providers.failure import ErrorClass
from tests.dialects.chat_requests import chat_requests
from tests.dialects.gemini.google import (
    answer,
    array,
    candidate,
    decode,
    encode,
    failure,
    read,
    refused,
    sent,
    sse,
    written,
)
from tests.dialects.gemini.google import target as studio
from tests.dialects.gemini.google_types import judge
from tests.dialects.test_any_bytes import CALM

BASE = "https://europe-west1-aiplatform.googleapis.com/v1/projects/p1/locations/europe-west1/publishers/google"
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}


def target(*traits: str, **changes: Any) -> Target:
    """A deployment of the vertex dialect."""
    return studio(*traits, **{"dialect": "vertex", "base_url": BASE, **changes})


def parts(*content: dict[str, Any]) -> list[dict[str, Any]]:
    to = target(settings=(("bucket_links", "true"),))
    body = sent({"messages": [{"role": "user", "content": list(content)}]}, to)
    found: list[dict[str, Any]] = body["contents"][0]["parts"]
    return found


def test_the_address_is_the_publishers() -> None:
    assert written({}, target()).url == f"{BASE}/models/gemini-2.5-pro:generateContent"
    assert written({}, target(), stream=True).url == f"{BASE}/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    for base_url in (BASE, BASE.removesuffix("/publishers/google")):
        tuned = target(base_url=base_url, model="endpoints/123")
        assert written({}, tuned).url.endswith("/locations/europe-west1/endpoints/123:generateContent")


def test_calls_and_results_go_without_ids() -> None:
    history = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "blue"},
    ]
    turns = sent({"messages": history}, target())["contents"]
    assert turns[1]["parts"] == [{"functionCall": {"name": "weather", "args": {}}}]
    assert turns[2]["parts"] == [{"functionResponse": {"name": "weather", "response": {"result": "blue"}}}]


@pytest.mark.parametrize("file", [{"file_data": "gs://bucket/paper.pdf"}, {"file_id": "gs://bucket/paper.pdf"}])
def test_a_caller_reads_the_operators_buckets_only_where_that_is_allowed(file: dict[str, Any]) -> None:
    message = {"role": "user", "content": [{"type": "file", "file": file}]}
    failure = refused({"messages": [message]}, target())
    assert (failure.code, failure.param) == ("unsupported_parameter", "messages[0].content[0]")
    assert "bucket_links" in failure.message


def test_every_address_has_its_media_type() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.test/cat"}}
    paper = {"type": "file", "file": {"file_data": "gs://bucket/paper"}}
    stored = {"type": "file", "file": {"file_id": "gs://bucket/film.mp4", "filename": "film.mp4"}}
    assert [part["fileData"]["mimeType"] for part in parts(picture, paper, stored)] == [
        "image/jpeg",
        "application/pdf",
        "video/mp4",
    ]


def test_a_file_by_its_id_is_refused() -> None:
    message = {"role": "user", "content": [{"type": "file", "file": {"file_id": "files/abc"}}]}
    assert refused({"messages": [message]}, target()).param == "messages[0].content[0]"


def test_labels_stand_in_the_body_and_the_tier_in_a_header() -> None:
    fields = {"labels": {"team": "red"}, "service_tier": "priority"}
    assert sent(fields, target()) == {**sent({}, target()), "labels": {"team": "red"}}
    request = written(fields, target())
    assert ("x-vertex-ai-llm-shared-request-type", "priority") in request.headers
    assert request.dropped_params == ()


def test_answers_and_streams_are_read_as_at_ai_studio() -> None:
    body = candidate({"text": "Hi"})
    assert answer(body, target())[1] == answer(body)[1]
    assert read(sse(body), to=target()).answer == read(array(body), to=target()).answer == read(sse(body)).answer


@pytest.mark.parametrize("body", [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Slow."}}])
def test_a_refusal_is_read_alone_and_in_a_list(body: dict[str, Any]) -> None:
    assert failure(body, target(), status=429).error_class is ErrorClass.RATE_LIMIT
    assert failure([body], target(), status=429).error_class is ErrorClass.RATE_LIMIT


def test_texts_are_instances_and_vectors_predictions() -> None:
    fields = {"input": ["a", "b"], "dimensions": 8, "task_type": "RETRIEVAL_QUERY", "auto_truncate": False}
    request = written(fields, target(model="text-embedding-005"), endpoint=Endpoint.EMBEDDINGS)
    assert request.url == f"{BASE}/models/text-embedding-005:predict"
    assert orjson.loads(request.content) == {
        "instances": [{"content": text, "task_type": "RETRIEVAL_QUERY"} for text in ("a", "b")],
        "parameters": {"outputDimensionality": 8, "autoTruncate": False},
    }
    assert request.dropped_params == ()


def prediction(*values: float, tokens: Any = None) -> dict[str, Any]:
    return {"embeddings": {"values": list(values), "statistics": {"token_count": tokens, "truncated": False}}}


def test_tokens_of_predictions_are_added_up_where_all_are_known() -> None:
    body = {"predictions": [prediction(0.5, tokens=3), prediction(2.0, tokens=4.0)]}
    outcome = decode(body, target(), endpoint=Endpoint.EMBEDDINGS)
    assert isinstance(outcome, Answer)
    assert outcome.usage == Usage(7)
    vectors = CreateEmbeddingResponse.model_validate_json(outcome.body).data
    assert [(item.index, item.embedding) for item in vectors] == [(0, [0.5]), (1, [2.0])]
    unknown = decode({"predictions": [prediction(1), prediction(2, tokens=4)]}, target(), endpoint=Endpoint.EMBEDDINGS)
    assert isinstance(unknown, Answer)
    assert unknown.usage is None


@settings(CALM, max_examples=60)
@given(chat_requests())
def test_every_request_is_one_that_googles_types_take(body: dict[str, Any]) -> None:
    outcome = encode(body, target("json_with_tools"))
    if isinstance(outcome, WireRequest):
        judge(orjson.loads(outcome.content))
