"""Gemini on Vertex: generateContent as at Google AI Studio, and embeddings as predictions."""

from typing import Any

from providers.chat.embeddings import EmbeddingsRequest
from providers.chat.request import ChatRequest
from providers.completion import Endpoint, Target
from providers.dialects.gemini.request import write_chat
from providers.dialects.gemini.response import read_chat
from providers.dialects.gemini.service import Service
from providers.dialects.gemini.stream import GeminiEvents
from providers.dialects.translation import Draft
from providers.dialects.vertex.predictions import read_predictions, write_predictions
from providers.dialects.wire import WireResponse

VERTEX = Service(
    has_files=False,
    knows_call_ids=False,
    wants_media_types=True,
    tier_header="x-vertex-ai-llm-shared-request-type",
)


class GeminiOnVertex:
    """What one publisher's models are asked and how they answer."""

    def chat(self, request: ChatRequest, target: Target, *, stream: bool) -> Draft:
        """Translate a chat request."""
        return write_chat(request, target, VERTEX, stream=stream)

    def embeddings(self, request: EmbeddingsRequest, target: Target) -> Draft:
        """Translate an embeddings request."""
        return write_predictions(request, target)

    def answer(self, endpoint: Endpoint, data: Any, response: WireResponse, target: Target) -> dict[str, Any]:
        """Translate an answer."""
        return read_predictions(data) if endpoint is Endpoint.EMBEDDINGS else read_chat(data)

    def reader(self, target: Target) -> GeminiEvents:
        """Read a stream."""
        return GeminiEvents(target)
