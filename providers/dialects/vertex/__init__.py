"""The vertex dialect: models of several publishers at Google Cloud, each in its publisher's words.

The setting `publisher` of a catalogue row says whose they are, and its base URL ends accordingly:
{host}/v1/projects/{project}/locations/{location}/publishers/{publisher}
"""

from typing import Any

from providers.chat.embeddings import EmbeddingsRequest
from providers.chat.request import ChatRequest
from providers.completion import Endpoint, Target
from providers.dialects.anthropic.error import read_anthropic_error
from providers.dialects.error_body import ErrorBody
from providers.dialects.gemini.frames import GeminiFrames
from providers.dialects.gemini.refusal import read_refusal
from providers.dialects.translation import Draft, EventReader
from providers.dialects.vertex.claude import ClaudeOnVertex
from providers.dialects.vertex.gemini import GeminiOnVertex
from providers.dialects.wire import WireResponse
from providers.failure import Failure


class VertexTranslation:
    """Speaks to every publisher's models; see `Translation`."""

    def __init__(self) -> None:
        self._gemini = GeminiOnVertex()
        self._claude = ClaudeOnVertex()

    def chat(self, request: ChatRequest, target: Target, *, stream: bool) -> Draft:
        """Translate a chat request."""
        return self._publisher(target).chat(request, target, stream=stream)

    def embeddings(self, request: EmbeddingsRequest, target: Target) -> Draft:
        """Translate an embeddings request."""
        return self._publisher(target).embeddings(request, target)

    def answer(self, endpoint: Endpoint, data: Any, response: WireResponse, target: Target) -> dict[str, Any] | Failure:
        """Translate an answer."""
        return self._publisher(target).answer(endpoint, data, response, target)

    def error(self, data: Any, response: WireResponse) -> ErrorBody | None:
        """Find a refusal: Google's own, or that of a publisher that speaks for itself."""
        refused = response.status >= 400
        if type(data) is dict and data.get("type") == "error":
            return read_anthropic_error(data, refused=refused)
        return read_refusal(data, refused=refused)

    def frames(self) -> GeminiFrames:
        """Cut a stream."""
        return GeminiFrames()

    def reader(self, response: WireResponse, target: Target) -> EventReader:
        """Read a stream."""
        return self._publisher(target).reader(target)

    def _publisher(self, target: Target) -> GeminiOnVertex | ClaudeOnVertex:
        return self._claude if target.setting("publisher") == "anthropic" else self._gemini
