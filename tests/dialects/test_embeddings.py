"""Embeddings answers: vectors pass as they came, gaps in the envelope are filled."""

from typing import Any

import orjson
import pytest
from openai.types import CreateEmbeddingResponse

from providers.completion import Answer, Endpoint, Usage
from providers.dialects import WireResponse, dialect
from providers.failure import ErrorClass
from tests.dialects.wire import JSON, answer, failure, target

PLAIN: dict[str, Any] = {
    "object": "list",
    "model": "embedder",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.25]}],
    "usage": {"prompt_tokens": 5, "total_tokens": 5},
}


@pytest.mark.parametrize("vector", [[0.1, -0.25], [1, 2], "AACAPwAAAEA="])
def test_plain_vectors_pass_byte_for_byte(vector: Any) -> None:
    content = orjson.dumps({**PLAIN, "data": [{"object": "embedding", "index": 0, "embedding": vector}]})
    outcome = dialect("openai").decode(Endpoint.EMBEDDINGS, WireResponse(200, JSON, content), target())
    assert isinstance(outcome, Answer)
    assert outcome.body is content
    assert (outcome.usage, outcome.model) == (Usage(5, 0), "embedder")


def test_gaps_in_the_envelope_are_filled() -> None:
    body = {"data": [{"embedding": [0.5]}, {"embedding": [0.25]}], "usage": {"prompt_tokens": 4}}
    outcome, data = answer(body, endpoint=Endpoint.EMBEDDINGS)
    CreateEmbeddingResponse.model_validate(data)
    assert outcome.usage == Usage(4, 0)
    assert [item["index"] for item in data["data"]] == [0, 1]
    assert (data["model"], outcome.model) == ("asked-model", None)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -1, "total_tokens": 1}])
def test_without_credible_usage_the_answer_says_so(usage: Any) -> None:
    outcome, data = answer({**PLAIN, "usage": usage}, endpoint=Endpoint.EMBEDDINGS)
    CreateEmbeddingResponse.model_validate(data)
    assert outcome.usage is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {**PLAIN, "data": []},
        {**PLAIN, "data": [1]},
        {**PLAIN, "data": [{"embedding": []}]},
        {**PLAIN, "data": [{"embedding": ""}]},
        {**PLAIN, "data": [{"embedding": {"a": 1}}]},
        {**PLAIN, "data": [{"embedding": [0.1]}, {}]},
    ],
)
def test_an_answer_without_every_vector_is_invalid(body: Any) -> None:
    outcome = failure(body, endpoint=Endpoint.EMBEDDINGS)
    assert outcome.error_class is ErrorClass.INVALID_RESPONSE
    assert outcome.outcome_unknown


def test_a_refusal_inside_a_success_is_a_failure() -> None:
    body = {"error": {"code": 429, "message": "slow down"}}
    assert failure(body, endpoint=Endpoint.EMBEDDINGS).error_class is ErrorClass.RATE_LIMIT
