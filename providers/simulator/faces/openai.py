"""The face of OpenAI: `/v1/chat/completions` and `/v1/embeddings`."""

import hmac
from dataclasses import dataclass
from typing import Any, Final

import orjson

from providers.simulator import wire
from providers.simulator.answer import Answer
from providers.simulator.bill import Outcome
from providers.simulator.chat import ChatRequest, read_chat
from providers.simulator.chunks import event, stream_events
from providers.simulator.embedding import read_embedding
from providers.simulator.faces.face import Asked, Headers
from providers.simulator.limits import Permit
from providers.simulator.refusals import Refusal, bad_request
from providers.simulator.wire import Request

CHAT_PATH: Final = "/v1/chat/completions"
EMBEDDINGS_PATH: Final = "/v1/embeddings"


@dataclass(frozen=True, slots=True)
class OpenAIFace:
    """OpenAI's own paths, and those of the many servers that copy them."""

    chat: bool
    """Whether this is the chat path; else the embeddings path."""

    def admits(self, request: Request, key: bytes) -> bool:
        """Look for a bearer token."""
        return hmac.compare_digest(request.bearer(), key)

    def model(self, body: dict[str, Any]) -> str:
        """Return `model`."""
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise bad_request("You must provide a 'model' parameter.", "model")
        return model

    def read(self, request: Request, body: dict[str, Any]) -> Asked:
        """Read as far as is used: servers of this family pass over what they do not know."""
        return read_chat(body) if self.chat else read_embedding(body)

    def write(self, asked: Asked, value: dict[str, Any]) -> Answer:
        """Send the object itself, or its chunks."""
        if isinstance(asked, ChatRequest) and asked.stream:
            events = stream_events(value, include_usage=asked.include_usage)
            return Answer(200, events, wire.EVENTS, chunked=True)
        return Answer(200, (orjson.dumps(value),))

    def refuse(self, refusal: Refusal, call_id: str) -> Answer:
        """Write the `error` object."""
        wait = () if refusal.retry_after_s is None else (("retry-after", str(refusal.retry_after_s)),)
        headers = (*wait, *refusal.headers)
        return Answer(refusal.status, (refusal.body(),), headers=headers, outcome=Outcome.REFUSED)

    def error_event(self, refusal: Refusal) -> bytes:
        """Write the `error` object as a chunk."""
        return event(orjson.Fragment(refusal.body()))

    def marks(self, call_id: str) -> Headers:
        """Return `x-request-id`."""
        return (("x-request-id", call_id),)

    def limits(self, permit: Permit) -> Headers:
        """Return the `x-ratelimit-` headers."""
        return permit.headers()
