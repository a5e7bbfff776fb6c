"""Embeddings: several texts in one call of batchEmbedContents."""

from typing import Any

from providers.chat.embeddings import EmbeddingsRequest
from providers.completion import Target
from providers.dialects.gemini.address import model_path, model_url
from providers.dialects.gemini.generation import take_native
from providers.dialects.translation import Draft

NATIVE = {"task_type": "taskType", "title": "title"}
"""Fields that OpenAI does not have: they hold for every text of the call."""


def write_embeddings(request: EmbeddingsRequest, target: Target) -> Draft:
    """Write the call."""
    wishes = {**take_native(request.params, NATIVE), "outputDimensionality": request.dimensions}
    every = {"model": model_path(target.model)} | {name: value for name, value in wishes.items() if value is not None}
    body = {"requests": [{**every, "content": {"parts": [{"text": text}]}} for text in request.texts]}
    return Draft(model_url(target, "batchEmbedContents"), body)


def read_embeddings(data: dict[str, Any]) -> dict[str, Any]:
    """Return the vectors in the order of the texts."""
    return {
        "data": [{"index": at, "embedding": item["values"]} for at, item in enumerate(data["embeddings"])],
        "usage": prompt_usage((data.get("usageMetadata") or {}).get("promptTokenCount")),
    }


def prompt_usage(tokens: int | None) -> dict[str, Any] | None:
    """Return usage of a call that only reads; None where it is not counted."""
    return None if tokens is None else {"prompt_tokens": tokens, "total_tokens": tokens}
