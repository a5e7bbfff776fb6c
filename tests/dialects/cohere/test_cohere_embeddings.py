"""Embeddings of the cohere dialect, held against the types of both clients."""

import inspect
from base64 import b64decode
from pathlib import Path
from struct import unpack
from typing import Any

import orjson
import pytest
from cohere.types import EmbedByTypeResponse
from cohere.v2.client import V2Client
from openai.types import CreateEmbeddingResponse

from providers.completion import Answer, Endpoint, Usage
from providers.dialects import WireRequest, Wish
from providers.failure import Failure
from tests.dialects.recordings import recorded_bodies
from tests.dialects.wire import decode, encode

SPOKEN: dict[str, Any] = {
    "id": "e-1",
    "texts": ["a", "b"],
    "embeddings": {"float": [[0.5, 1.0], [2.0, -1.0]]},
    "meta": {"billed_units": {"input_tokens": 10}},
}


def embedded(**request: Any) -> dict[str, Any]:
    """Encode a request for embeddings; return its body, whose fields Cohere's own client knows."""
    encoded = encode({"input": ["a", "b"], **request}, endpoint=Endpoint.EMBEDDINGS, dialect="cohere")
    assert isinstance(encoded, WireRequest), encoded
    assert encoded.url == "https://api.acme.test/v1/embed"
    body: dict[str, Any] = orjson.loads(encoded.content)
    assert body.keys() <= inspect.signature(V2Client.embed).parameters.keys()
    return body


def test_texts_are_embedded_as_documents_unless_said_otherwise() -> None:
    plain = {"model": "asked-model", "texts": ["a", "b"], "input_type": "search_document", "embedding_types": ["float"]}
    assert embedded() == plain
    assert embedded(input="a", encoding_format="base64") == {**plain, "texts": ["a"]}
    native = {"input_type": "search_query", "truncate": "START"}
    assert embedded(dimensions=256, **native) == {**plain, **native, "output_dimension": 256}


def test_what_texts_are_for_must_be_a_word() -> None:
    outcome = encode({"input": "a", "input_type": 3}, endpoint=Endpoint.EMBEDDINGS, dialect="cohere")
    assert isinstance(outcome, Failure)
    assert outcome.param == "input_type"


def test_vectors_are_listed_in_order_and_packed_where_that_was_asked_for() -> None:
    EmbedByTypeResponse.model_validate(SPOKEN)
    for wish in (Wish(), Wish(base64=True)):
        outcome = decode(SPOKEN, endpoint=Endpoint.EMBEDDINGS, dialect="cohere", wish=wish)
        assert isinstance(outcome, Answer), outcome
        assert outcome.usage == Usage(10)
        vectors = [item["embedding"] for item in orjson.loads(outcome.body)["data"]]
        if wish.base64:
            vectors = [list(unpack("<2f", b64decode(vector))) for vector in vectors]
        assert vectors == SPOKEN["embeddings"]["float"]


@pytest.mark.parametrize("file", recorded_bodies("cohere"))
def test_recorded_embeddings_say_what_was_recorded(file: Path) -> None:
    recorded = orjson.loads(file.read_bytes())
    outcome = decode(recorded, endpoint=Endpoint.EMBEDDINGS, dialect="cohere")
    if "embeddings" not in recorded:
        assert isinstance(outcome, Failure)
        return
    assert isinstance(outcome, Answer), outcome
    data = orjson.loads(outcome.body)
    CreateEmbeddingResponse.model_validate(data)
    assert [item["embedding"] for item in data["data"]] == recorded["embeddings"]["float"]
    assert outcome.usage == Usage(10)
