"""The face of Anthropic: `/anthropic/v1/messages`, and the same format as Vertex serves it."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from providers.limit import MINUTE_MS
from providers.simulator import wire
from providers.simulator.answer import Answer
from providers.simulator.chat import ChatRequest
from providers.simulator.faces.anthropic.answer import message
from providers.simulator.faces.anthropic.refusal import error_event, refuse
from providers.simulator.faces.anthropic.request import read_messages
from providers.simulator.faces.anthropic.stream import events
from providers.simulator.faces.face import Asked, Headers
from providers.simulator.faces.native import text_of
from providers.simulator.gauge import Level
from providers.simulator.permit import Permit
from providers.simulator.refusals import Refusal, bad_request
from providers.simulator.wire import Request


@dataclass(frozen=True, slots=True)
class AnthropicFace:
    """The Messages API at its own address."""

    def admits(self, request: Request, key: bytes) -> bool:
        """Look for `x-api-key`, or a bearer token."""
        return hmac.compare_digest(request.header(b"x-api-key") or request.bearer(), key)

    def model(self, body: dict[str, Any]) -> str:
        """Return `model`."""
        return text_of(body.get("model"), "model: Field required")

    def read(self, request: Request, body: dict[str, Any]) -> Asked:
        """Check and read a request; the version header is mandatory."""
        if not request.header(b"anthropic-version"):
            raise bad_request("anthropic-version: header is required")
        return read_messages(body)

    def write(self, asked: Asked, value: dict[str, Any]) -> Answer:
        """Send the message, or its events."""
        assert isinstance(asked, ChatRequest)
        whole = message(asked, value)
        if asked.stream:
            return Answer(200, events(whole), wire.EVENTS, chunked=True)
        return Answer(200, (orjson.dumps(whole),))

    def refuse(self, refusal: Refusal, call_id: str) -> Answer:
        """Write `{"type": "error"}`."""
        return refuse(refusal, call_id, self.marks(call_id))

    def error_event(self, refusal: Refusal) -> bytes:
        """Write an `error` event."""
        return error_event(refusal)

    def marks(self, call_id: str) -> Headers:
        """Return `request-id`."""
        return (("request-id", f"req_{call_id}"),)

    def limits(self, permit: Permit) -> Headers:
        """Return the `anthropic-ratelimit-` headers of limits a minute; the reset is a time of day."""
        now = datetime.now(UTC)
        levels = (level for level in permit.levels if level.limit.window_ms == MINUTE_MS)
        return tuple(header for level in levels for header in _told(level, now))


def _told(level: Level, now: datetime) -> Headers:
    """Return the three headers of one limit."""
    name = f"anthropic-ratelimit-{level.limit.measure.replace('_', '-')}"
    reset = now + timedelta(milliseconds=level.full_in_ms)
    return (
        (f"{name}-limit", str(level.limit.amount)),
        (f"{name}-remaining", str(level.remaining)),
        (f"{name}-reset", reset.strftime("%Y-%m-%dT%H:%M:%SZ")),
    )
