"""The cohere dialect: Cohere's own chat and embeddings, second version."""

from dataclasses import replace
from typing import Any

from providers.chat.embeddings import EmbeddingsRequest
from providers.chat.request import ChatRequest
from providers.completion import Endpoint, Target
from providers.dialects.cohere.request import chat_body, embed_body
from providers.dialects.cohere.response import chat_answer, embed_answer
from providers.dialects.cohere.stream import CohereEvents
from providers.dialects.error_body import ErrorBody, read_error
from providers.dialects.sse import EventParser
from providers.dialects.translation import Draft
from providers.dialects.wire import WireResponse

_MEANINGS = {498: "content_filter", 499: "timeout_error", 501: "unsupported_value"}
"""Statuses that mean something else here than elsewhere: content that is blocked, a call that was given up on its way,
a feature that the model lacks. The words are those of `providers.dialects.refusals`."""


class CohereTranslation:
    """Speaks to Cohere; see `providers.dialects.translation.Translation`."""

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
        found = read_error(data, refused=response.status >= 400)
        meaning = _MEANINGS.get(response.status)
        if meaning is None:
            return found
        found = found or ErrorBody()
        return replace(found, codes=(meaning, *found.codes))

    def frames(self) -> EventParser:
        """Return what cuts a stream. See `Translation.frames`."""
        return EventParser()

    def reader(self, response: WireResponse, target: Target) -> CohereEvents:
        """Return what translates a stream. See `Translation.reader`."""
        return CohereEvents()
