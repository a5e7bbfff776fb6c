"""The gemini dialect: generateContent as Google AI Studio speaks it, and with few differences Vertex AI."""

from typing import Any

from providers.chat.embeddings import EmbeddingsRequest
from providers.chat.request import ChatRequest
from providers.completion import Endpoint, Target
from providers.dialects.error_body import ErrorBody
from providers.dialects.gemini.embeddings import read_embeddings, write_embeddings
from providers.dialects.gemini.frames import GeminiFrames
from providers.dialects.gemini.refusal import read_refusal
from providers.dialects.gemini.request import write_chat
from providers.dialects.gemini.response import read_chat
from providers.dialects.gemini.service import AI_STUDIO
from providers.dialects.gemini.stream import GeminiEvents
from providers.dialects.translation import Draft
from providers.dialects.wire import WireResponse


class GeminiTranslation:
    """Speaks to Google AI Studio; see `Translation`."""

    def chat(self, request: ChatRequest, target: Target, *, stream: bool) -> Draft:
        """Translate a chat request."""
        return write_chat(request, target, AI_STUDIO, stream=stream)

    def embeddings(self, request: EmbeddingsRequest, target: Target) -> Draft:
        """Translate an embeddings request."""
        return write_embeddings(request, target)

    def answer(self, endpoint: Endpoint, data: Any, response: WireResponse, target: Target) -> dict[str, Any]:
        """Translate an answer."""
        return read_embeddings(data) if endpoint is Endpoint.EMBEDDINGS else read_chat(data)

    def error(self, data: Any, response: WireResponse) -> ErrorBody | None:
        """Find a refusal."""
        return read_refusal(data, refused=response.status >= 400)

    def frames(self) -> GeminiFrames:
        """Cut a stream."""
        return GeminiFrames()

    def reader(self, response: WireResponse, target: Target) -> GeminiEvents:
        """Read a stream."""
        return GeminiEvents(target)
