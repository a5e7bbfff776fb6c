"""The reading of Gemini's embedding requests."""

from providers.simulator.embedding import EmbeddingRequest, read_embedding
from providers.simulator.faces.gemini.fields import CONTENT, checked, listed
from providers.simulator.faces.native import Json, require

_FIELDS = ("model", "content", "taskType", "title", "outputDimensionality", "embedContentConfig")


def read_single(body: Json, model: str) -> EmbeddingRequest:
    """Read an embedContent request; raises Refused (400)."""
    return _read([body], model)


def read_batch(body: Json, model: str) -> EmbeddingRequest:
    """Read a batchEmbedContents request, each part of which must name the path's model; raises Refused (400)."""
    requests = listed(checked(body, ("requests",), "").get("requests"), "requests")
    require(requests, "* BatchEmbedContentsRequest.requests: must not be empty")
    for number, one in enumerate(requests):
        named = isinstance(one, dict) and one.get("model") == f"models/{model}"
        wrong = "the model must match the model in the batch request"
        require(named, f"* BatchEmbedContentsRequest.requests[{number}].model: {wrong}")
    require(len(requests) <= 100, "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch")
    return _read(requests, model)


def _read(requests: list[Json], model: str) -> EmbeddingRequest:
    read = [checked(one, _FIELDS, "requests") for one in requests]
    texts = [_text(one.get("content")) for one in read]
    sizes = {one.get("outputDimensionality") for one in read}
    require(len(sizes) == 1, "* BatchEmbedContentsRequest.requests: output_dimensionality must be the same in all")
    return read_embedding({"model": model, "input": texts, "dimensions": sizes.pop()})


def _text(content: object) -> str:
    parts = listed(checked(content, CONTENT, "content").get("parts"), "content.parts")
    text = "".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))
    require(text, "* EmbedContentRequest.content: content is empty")
    return text
