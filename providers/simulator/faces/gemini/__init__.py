"""The face of Gemini: `/gemini/v1beta/models/{model}:{verb}`, and the same format as Vertex serves it."""

import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs

import orjson

from providers.simulator import wire
from providers.simulator.answer import Answer
from providers.simulator.bill import Outcome
from providers.simulator.chat import ChatRequest
from providers.simulator.chunks import event
from providers.simulator.faces.face import Asked, Headers
from providers.simulator.faces.gemini.answer import pieces_of, response
from providers.simulator.faces.gemini.embedding import read_batch, read_single
from providers.simulator.faces.gemini.refusal import blocked, error
from providers.simulator.faces.gemini.request import read_contents
from providers.simulator.permit import Permit
from providers.simulator.refusals import Refusal
from providers.simulator.wire import Request


class Verb(StrEnum):
    """What follows the colon of a path."""

    WHOLE = "generateContent"
    STREAM = "streamGenerateContent"
    EMBED = "embedContent"
    EMBED_BATCH = "batchEmbedContents"


@dataclass(frozen=True, slots=True)
class GeminiFace:
    """The generative language API: the model and the wish to stream stand in the path."""

    path_model: str
    verb: Verb

    def admits(self, request: Request, key: bytes) -> bool:
        """Look for `x-goog-api-key`, or a `key` in the query."""
        asked = parse_qs(request.query).get("key", [""])[0].encode()
        return hmac.compare_digest(request.header(b"x-goog-api-key") or asked, key)

    def model(self, body: dict[str, Any]) -> str:
        """Return the model of the path."""
        return self.path_model

    def read(self, request: Request, body: dict[str, Any]) -> Asked:
        """Check and read a request."""
        match self.verb:
            case Verb.EMBED:
                return read_single(body, self.path_model)
            case Verb.EMBED_BATCH:
                return read_batch(body, self.path_model)
            case _:
                events = parse_qs(request.query).get("alt") == ["sse"]
                return read_contents(body, self.path_model, stream=self.verb is Verb.STREAM, events=events)

    def write(self, asked: Asked, value: dict[str, Any]) -> Answer:
        """Send the response, its pieces as events or as one JSON array, or the embeddings."""
        if not isinstance(asked, ChatRequest):
            rows = [{"values": row["embedding"]} for row in value["data"]]
            return Answer(
                200, (orjson.dumps({"embedding": rows[0]} if self.verb is Verb.EMBED else {"embeddings": rows}),)
            )
        whole = response(asked, value)
        if not asked.stream:
            return Answer(200, (orjson.dumps(whole),))
        pieces = pieces_of(whole)
        if asked.include_usage:
            return Answer(200, tuple(event(piece) for piece in pieces), wire.EVENTS, chunked=True)
        array = (b"[" + orjson.dumps(pieces[0]), *(b",\r\n" + orjson.dumps(piece) for piece in pieces[1:]), b"]")
        return Answer(200, array, chunked=True)

    def refuse(self, refusal: Refusal, call_id: str) -> Answer:
        """Write Google's `error`; what a content filter stops is a 200 without an answer."""
        if refusal.code == "content_filter":
            return self._blocked(call_id)
        status, body = error(refusal)
        return Answer(status, (orjson.dumps(body),), headers=refusal.headers, outcome=Outcome.REFUSED)

    def error_event(self, refusal: Refusal) -> bytes:
        """Write Google's `error` as an event."""
        return event(error(refusal)[1])

    def marks(self, call_id: str) -> Headers:
        """Return none: the name of a call is in the body."""
        return ()

    def limits(self, permit: Permit) -> Headers:
        """Return none: Google does not tell."""
        return ()

    def _blocked(self, call_id: str) -> Answer:
        body = blocked(self.path_model, call_id)
        if self.verb is Verb.STREAM:
            return Answer(200, (event(body),), wire.EVENTS, chunked=True, outcome=Outcome.REFUSED)
        return Answer(200, (orjson.dumps(body),), outcome=Outcome.REFUSED)
