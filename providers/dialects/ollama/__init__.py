"""The ollama dialect: Ollama's own chat and embeddings, beside the endpoint on which it speaks OpenAI's."""

from typing import Any

from providers.chat.embeddings import EmbeddingsRequest
from providers.chat.request import ChatRequest
from providers.completion import Endpoint, Target
from providers.dialects.error_body import ErrorBody
from providers.dialects.json_lines import JsonLines
from providers.dialects.ollama.request import chat_body, embed_body
from providers.dialects.ollama.response import chat_answer, embed_answer, find_error
from providers.dialects.ollama.stream import OllamaEvents
from providers.dialects.translation import Draft
from providers.dialects.wire import WireResponse


class OllamaTranslation:
    """Speaks to Ollama; see `providers.dialects.translation.Translation`."""

    def chat(self, request: ChatRequest, target: Target, *, stream: bool) -> Draft:
        """Translate a chat request. See `Translation.chat`."""
        return Draft(f"{target.base_url}/chat", chat_body(request, target, stream=stream))

    def embeddings(self, request: EmbeddingsRequest, target: Target) -> Draft:
        """Translate an embeddings request. See `Translation.embeddings`."""
        return Draft(f"{target.base_url}/embed", embed_body(request, target))

    def answer(self, endpoint: Endpoint, data: Any, response: WireResponse, target: Target) -> dict[str, Any]:
        """Translate a success. See `Translation.answer`."""
        return embed_answer(data) if endpoint is Endpoint.EMBEDDINGS else chat_answer(data)

    def error(self, data: Any, response: WireResponse) -> ErrorBody | None:
        """Find an error. See `Translation.error`."""
        return find_error(data, refused=response.status >= 400)

    def frames(self) -> JsonLines:
        """Return what cuts a stream. See `Translation.frames`."""
        return JsonLines()

    def reader(self, response: WireResponse, target: Target) -> OllamaEvents:
        """Return what translates a stream. See `Translation.reader`."""
        return OllamaEvents()
