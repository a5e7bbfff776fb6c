"""The embeddings of Cohere's version 2: what is asked for, and the vectors by type."""

from typing import Any, Final

from providers.simulator.embedding import EmbeddingRequest, read_embedding
from providers.simulator.faces import native
from providers.simulator.faces.native import Json, require
from providers.simulator.tokens import reported

_FIELDS: Final = frozenset(
    {
        "model",
        "input_type",
        "texts",
        "images",
        "inputs",
        "max_tokens",
        "output_dimension",
        "embedding_types",
        "truncate",
        "priority",
    }
)
_INPUT_TYPES: Final = ("search_document", "search_query", "classification", "clustering", "image")
_MOST_TEXTS: Final = 96


def read_embed(body: Json) -> EmbeddingRequest:
    """Check a body and read it; raises Refused (400) in the provider's words."""
    extra = native.unknown(body, _FIELDS)
    require(extra is None, f"invalid request: unknown field: parameter '{extra}' is not a valid field")
    known = body.get("input_type") in _INPUT_TYPES
    require(known, "invalid request: valid input_type must be provided with the provided model")
    forms = body.get("embedding_types") or ["float"]
    require(set(forms) <= {"float", "base64"}, "invalid request: only the embedding_types float, base64 are simulated")
    texts = body.get("texts")
    require(isinstance(texts, list) and texts, "invalid request: at least one of texts, images, inputs must be set")
    require(len(texts or ()) <= _MOST_TEXTS, f"invalid request: at most {_MOST_TEXTS} texts can be embedded at once")
    form = "base64" if forms == ["base64"] else "float"
    size = body.get("output_dimension")
    return read_embedding({"model": body["model"], "input": texts, "dimensions": size, "encoding_format": form})


def embed_response(asked: EmbeddingRequest, value: dict[str, Any]) -> dict[str, Any]:
    """Return the response: the vectors in the form asked for, with the texts."""
    vectors = [row["embedding"] for row in value["data"]]
    usage = reported(value)
    billed = {} if usage is None else {"billed_units": {"input_tokens": usage.prompt_tokens}}
    return {
        "id": "embedded",
        "response_type": "embeddings_by_type",
        "embeddings": {"base64" if asked.base64 else "float": vectors},
        "texts": asked.inputs,
        "meta": {"api_version": {"version": "2"}, **billed},
    }
