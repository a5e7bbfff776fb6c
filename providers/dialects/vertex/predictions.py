"""Predictions: the older call by which Vertex makes embeddings, one instance a text."""

from typing import Any

from providers.chat.embeddings import EmbeddingsRequest
from providers.completion import Target
from providers.dialects.gemini.address import model_url
from providers.dialects.gemini.embeddings import prompt_usage
from providers.dialects.gemini.generation import take_native
from providers.dialects.translation import Draft

INSTANCE = {"taskType": "task_type", "title": "title"}
PARAMETERS = {"auto_truncate": "autoTruncate"}
"""Fields that OpenAI does not have. Those of an instance hold for every text of the call."""


def write_predictions(request: EmbeddingsRequest, target: Target) -> Draft:
    """Write the call. Some models take one text at a time and refuse more."""
    every = _present(take_native(request.params, INSTANCE))
    parameters = _present({**take_native(request.params, PARAMETERS), "outputDimensionality": request.dimensions})
    body: dict[str, Any] = {"instances": [{"content": text, **every} for text in request.texts]}
    if parameters:
        body["parameters"] = parameters
    return Draft(model_url(target, "predict"), body)


def read_predictions(data: dict[str, Any]) -> dict[str, Any]:
    """Return the vectors in the order of the texts, and their tokens where every one is counted."""
    vectors = [prediction["embeddings"] for prediction in data["predictions"]]
    return {
        "data": [{"index": at, "embedding": vector["values"]} for at, vector in enumerate(vectors)],
        "usage": prompt_usage(_tokens(vectors)),
    }


def _tokens(vectors: list[dict[str, Any]]) -> int | None:
    counts = [(vector.get("statistics") or {}).get("token_count") for vector in vectors]
    known = [int(count) for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
