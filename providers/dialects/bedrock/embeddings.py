"""Embeddings by InvokeModel, whose body is the model's own: one text a call, or a list of texts."""

from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.embeddings import EmbeddingsRequest
from providers.chat.unservable import unsupported
from providers.completion import Target
from providers.dialects.wire import WireResponse

INPUT_TOKENS = "x-amzn-bedrock-input-token-count"


def write_texts(request: EmbeddingsRequest, target: Target) -> dict[str, Any]:
    """Write the body. Raises Unservable for a model without embeddings, or with too many texts for it."""
    if ModelTrait.TITAN_EMBEDDINGS in target.model_traits:
        if len(request.texts) > 1:
            raise unsupported("several texts in one call: send one text a request", "input")
        dimensions = {"dimensions": request.dimensions} if request.dimensions is not None else {}
        return {"inputText": request.texts[0], **dimensions}
    if ModelTrait.COHERE_EMBEDDINGS in target.model_traits:
        return _list_of_texts(request)
    raise unsupported("embeddings requests for this model", "model")


def _list_of_texts(request: EmbeddingsRequest) -> dict[str, Any]:
    body = {
        "texts": list(request.texts),
        "input_type": request.params.text("input_type") or "search_document",
        "truncate": request.params.text("truncate"),
        "output_dimension": request.dimensions,
        "embedding_types": ["float"],
    }
    return {name: value for name, value in body.items() if value is not None}


def read_vectors(data: Any, response: WireResponse) -> dict[str, Any]:
    """Translate the body of a success; the tokens are in it or in a header."""
    vectors = [data["embedding"]] if "embedding" in data else data["embeddings"]
    if type(vectors) is dict:
        vectors = vectors["float"]
    answer: dict[str, Any] = {
        "object": "list",
        "data": [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)],
    }
    tokens = data.get("inputTextTokenCount")
    if tokens is None and (counted := response.headers.get(INPUT_TOKENS, "")).isascii() and counted.isdigit():
        tokens = int(counted[:12])
    if type(tokens) is int:
        answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return answer
