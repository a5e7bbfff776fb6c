"""The faces of Ollama: `/ollama/api/chat`, which streams unless told not to, and `/ollama/api/embed`."""

import hmac
from typing import Any

import orjson

from providers.simulator.answer import Answer
from providers.simulator.bill import Outcome
from providers.simulator.chat import ChatRequest
from providers.simulator.faces.face import Asked, Headers
from providers.simulator.faces.native import text_of
from providers.simulator.faces.ollama.answer import embed_response, lines, whole_response
from providers.simulator.faces.ollama.request import read_api_chat, read_api_embed
from providers.simulator.permit import Permit
from providers.simulator.refusals import Refusal
from providers.simulator.wire import Request

_LINES = "application/x-ndjson"


class OllamaFace:
    """What both paths of Ollama have in common."""

    __slots__ = ()

    def admits(self, request: Request, key: bytes) -> bool:
        """Look for a bearer token, as its cloud does; a server at home asks for none."""
        return hmac.compare_digest(request.bearer(), key)

    def model(self, body: dict[str, Any]) -> str:
        """Return `model`."""
        return text_of(body.get("model"), "model is required")

    def refuse(self, refusal: Refusal, call_id: str) -> Answer:
        """Write `error`, a text."""
        status = 503 if refusal.status == 529 else refusal.status
        return Answer(status, (_error(refusal),), headers=refusal.headers, outcome=Outcome.REFUSED)

    def error_event(self, refusal: Refusal) -> bytes:
        """Write `error` as a line."""
        return _error(refusal) + b"\n"

    def marks(self, call_id: str) -> Headers:
        """Return none."""
        return ()

    def limits(self, permit: Permit) -> Headers:
        """Return none: Ollama does not tell."""
        return ()


class OllamaChat(OllamaFace):
    """The native chat."""

    __slots__ = ()

    def read(self, request: Request, body: dict[str, Any]) -> Asked:
        """Check and read a request."""
        return read_api_chat(body)

    def write(self, asked: Asked, value: dict[str, Any]) -> Answer:
        """Send the response, or its lines."""
        assert isinstance(asked, ChatRequest)
        if asked.stream:
            return Answer(200, lines(value), _LINES, chunked=True)
        return Answer(200, (orjson.dumps(whole_response(value)),))


class OllamaEmbed(OllamaFace):
    """The native embeddings."""

    __slots__ = ()

    def read(self, request: Request, body: dict[str, Any]) -> Asked:
        """Check and read a request."""
        return read_api_embed(body)

    def write(self, asked: Asked, value: dict[str, Any]) -> Answer:
        """Send the vectors."""
        return Answer(200, (orjson.dumps(embed_response(value)),))


def _error(refusal: Refusal) -> bytes:
    message = refusal.message
    if refusal.code == "context_length_exceeded":
        message = "prompt is too long: the request (9 tokens) exceeds the available context size (8 tokens)"
    return orjson.dumps({"error": message})
