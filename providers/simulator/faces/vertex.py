"""The faces of Vertex AI: Gemini and Claude under `/vertex/v1/projects/...`, with Google's tokens and errors."""

import hmac
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from providers.simulator.answer import Answer
from providers.simulator.bill import Outcome
from providers.simulator.embedding import EmbeddingRequest, read_embedding
from providers.simulator.faces.anthropic import AnthropicFace
from providers.simulator.faces.anthropic.request import read_messages
from providers.simulator.faces.face import Asked, Headers
from providers.simulator.faces.gemini import GeminiFace, Verb
from providers.simulator.faces.gemini.fields import checked, listed
from providers.simulator.faces.gemini.refusal import error
from providers.simulator.faces.gemini.request import read_contents
from providers.simulator.faces.native import require
from providers.simulator.refusals import Refusal
from providers.simulator.tokens import reported, text_tokens
from providers.simulator.wire import Request

_CLAUDE_VERSION: Final = re.compile(r"vertex-2023-10-16|20\d\d-\d\d-\d\d")
"""The version that Vertex has had from its start, or a dated one, as the newest clients send it."""
_CLAUDE_EXTRAS: Final = ("anthropic_version", "anthropic_beta")


def _admits(request: Request, key: bytes) -> bool:
    """Look for a bearer token, or for `x-goog-api-key` (express mode)."""
    return hmac.compare_digest(request.bearer() or request.header(b"x-goog-api-key"), key)


def _refuse(refusal: Refusal) -> Answer:
    """Write Google's error; a wrong token is a 401 here."""
    status, body = error(refusal)
    if refusal.code == "invalid_api_key":
        said = {"code": 401, "message": "Request had invalid authentication credentials.", "status": "UNAUTHENTICATED"}
        status, body = 401, {"error": said}
    return Answer(status, (orjson.dumps(body),), headers=refusal.headers, outcome=Outcome.REFUSED)


def _prediction(values: list[float], tokens: int | None) -> dict[str, Any]:
    statistics = {} if tokens is None else {"statistics": {"token_count": tokens, "truncated": False}}
    return {"embeddings": {"values": values, **statistics}}


class VertexGemini(GeminiFace):
    """Gemini on Vertex: every turn says its role, and requests may carry labels."""

    __slots__ = ()

    def admits(self, request: Request, key: bytes) -> bool:
        """Look for a token of Google's."""
        return _admits(request, key)

    def read(self, request: Request, body: dict[str, Any]) -> Asked:
        """Check and read a request."""
        if self.verb in (Verb.EMBED, Verb.EMBED_BATCH):
            return GeminiFace.read(self, request, body)
        events = "alt=sse" in request.query.split("&")
        stream = self.verb is Verb.STREAM
        return read_contents(body, self.path_model, stream=stream, events=events, roles=True, more=("labels",))

    def refuse(self, refusal: Refusal, call_id: str) -> Answer:
        """Write Google's error."""
        if refusal.code == "content_filter":
            return GeminiFace.refuse(self, refusal, call_id)
        return _refuse(refusal)


class VertexPredict(GeminiFace):
    """Embeddings on Vertex: `:predict` with instances."""

    __slots__ = ()

    def __init__(self, path_model: str) -> None:
        """Serve the model of a path."""
        super().__init__(path_model, Verb.EMBED_BATCH)

    def admits(self, request: Request, key: bytes) -> bool:
        """Look for a token of Google's."""
        return _admits(request, key)

    def read(self, request: Request, body: dict[str, Any]) -> Asked:
        """Check and read the instances."""
        fields = checked(body, ("instances", "parameters"), "")
        known = ("content", "taskType", "title")
        rows = [checked(one, known, "instances") for one in listed(fields.get("instances"), "instances")]
        require(rows and all(row.get("content") for row in rows), "The text content is empty.")
        parameters = checked(fields.get("parameters") or {}, ("outputDimensionality", "autoTruncate"), "parameters")
        size = parameters.get("outputDimensionality")
        return read_embedding({"model": self.path_model, "input": [row["content"] for row in rows], "dimensions": size})

    def write(self, asked: Asked, value: dict[str, Any]) -> Answer:
        """Send the predictions, each with its token count."""
        assert isinstance(asked, EmbeddingRequest)
        counts: list[int | None] = [text_tokens(str(text)) for text in asked.inputs]
        usage = reported(value)
        if usage is None:
            counts = [None] * len(counts)
        elif usage.prompt_tokens < 0:
            counts = [usage.prompt_tokens] * len(counts)
        rows = [_prediction(row["embedding"], count) for row, count in zip(value["data"], counts, strict=True)]
        return Answer(200, (orjson.dumps({"predictions": rows}),))

    def refuse(self, refusal: Refusal, call_id: str) -> Answer:
        """Write Google's error."""
        return _refuse(refusal)


@dataclass(frozen=True, slots=True)
class VertexClaude(AnthropicFace):
    """Claude on Vertex: the Messages API with its model in the path and its version in the body."""

    path_model: str

    def admits(self, request: Request, key: bytes) -> bool:
        """Look for a token of Google's."""
        return _admits(request, key)

    def model(self, body: dict[str, Any]) -> str:
        """Return the model of the path."""
        return self.path_model

    def read(self, request: Request, body: dict[str, Any]) -> Asked:
        """Check and read a request."""
        require("model" not in body, "model: Extra inputs are not permitted")
        require(_CLAUDE_VERSION.fullmatch(str(body.get("anthropic_version"))), "anthropic_version: Field required")
        kept = {name: value for name, value in body.items() if name not in _CLAUDE_EXTRAS}
        return read_messages({**kept, "model": self.path_model})

    def refuse(self, refusal: Refusal, call_id: str) -> Answer:
        """Write Google's error for a wrong token or address, Anthropic's for the rest."""
        if refusal.status in (401, 403, 404, 429):
            return _refuse(refusal)
        return AnthropicFace.refuse(self, refusal, call_id)

    def limits(self, permit: object) -> Headers:
        """Return none: Google does not tell."""
        return ()
