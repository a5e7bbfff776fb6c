"""The anthropic dialect: the Messages API, by way of OpenAI's words for the same things."""

from typing import Any

from providers.chat.embeddings import EmbeddingsRequest
from providers.chat.request import ChatRequest
from providers.chat.unservable import unsupported
from providers.completion import Endpoint, Target
from providers.dialects.anthropic.betas import betas
from providers.dialects.anthropic.error import read_anthropic_error
from providers.dialects.anthropic.request import write_body
from providers.dialects.anthropic.response import read_message
from providers.dialects.anthropic.stream import MessageEvents
from providers.dialects.error_body import ErrorBody
from providers.dialects.sse import EventParser
from providers.dialects.translation import Draft
from providers.dialects.wire import WireResponse
from providers.failure import Failure

VERSION = "2023-06-01"


class AnthropicTranslation:
    """Translates to and from the Messages API; see `Translation`."""

    def chat(self, request: ChatRequest, target: Target, *, stream: bool) -> Draft:
        """Translate a chat request. See `Translation.chat`."""
        written, json_tool = write_body(request, target)
        body = {"model": target.model, **written, **({"stream": True} if stream else {})}
        headers: tuple[tuple[str, str], ...] = (("anthropic-version", VERSION),)
        if names := betas(request, target):
            headers += (("anthropic-beta", ",".join(names)),)
        return Draft(f"{target.base_url}/messages", body, headers, json_tool)

    def embeddings(self, request: EmbeddingsRequest, target: Target) -> Draft:
        """Refuse: the provider has no embeddings."""
        raise unsupported("a request for embeddings", "model")

    def answer(self, endpoint: Endpoint, data: Any, response: WireResponse, target: Target) -> dict[str, Any] | Failure:
        """Translate a message. See `Translation.answer`."""
        return read_message(data, response, target)

    def error(self, data: Any, response: WireResponse) -> ErrorBody | None:
        """Find an error. See `Translation.error`."""
        return read_anthropic_error(data, refused=response.status >= 400)

    def frames(self) -> EventParser:
        """Cut a stream into server-sent events."""
        return EventParser()

    def reader(self, response: WireResponse, target: Target) -> MessageEvents:
        """Return what translates the events of one message."""
        return MessageEvents()
