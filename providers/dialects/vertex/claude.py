"""Claude on Vertex: the Messages API in an envelope of Google's, which names the model in the address."""

from typing import Any

from providers.chat.embeddings import EmbeddingsRequest
from providers.chat.request import ChatRequest
from providers.chat.unservable import unsupported
from providers.completion import Endpoint, Target
from providers.dialects.anthropic.betas import betas
from providers.dialects.anthropic.request import write_body
from providers.dialects.anthropic.response import read_message
from providers.dialects.anthropic.stream import MessageEvents
from providers.dialects.gemini.address import model_url
from providers.dialects.translation import Draft
from providers.dialects.wire import WireResponse
from providers.failure import Failure

VERSION = "vertex-2023-10-16"
"""The generation of the API that `write_body` writes for: newer ones have other fields, so both change together."""


class ClaudeOnVertex:
    """What one publisher's models are asked and how they answer."""

    def chat(self, request: ChatRequest, target: Target, *, stream: bool) -> Draft:
        """Translate a chat request; version and betas stand in the body."""
        written, json_tool = write_body(request, target)
        body: dict[str, Any] = {"anthropic_version": VERSION, **written}
        if names := betas(request, target):
            body["anthropic_beta"] = list(names)
        if stream:
            body["stream"] = True
        action = "streamRawPredict" if stream else "rawPredict"
        return Draft(model_url(target, action), body, json_tool=json_tool)

    def embeddings(self, request: EmbeddingsRequest, target: Target) -> Draft:
        """Refuse: the publisher has no embeddings."""
        raise unsupported("a request for embeddings", "model")

    def answer(self, endpoint: Endpoint, data: Any, response: WireResponse, target: Target) -> dict[str, Any] | Failure:
        """Translate a message."""
        return read_message(data, response, target)

    def reader(self, target: Target) -> MessageEvents:
        """Read a stream."""
        return MessageEvents()
