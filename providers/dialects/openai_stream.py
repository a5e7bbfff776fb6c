"""A stream of the openai dialect: from the bytes of its body to chunks for the caller, and to one outcome.

A stream is complete when its end marker came, or its body ended after every choice had its finish reason. Whatever
else ends it is a failure, and one after the first chunk may have been billed.
"""

import dataclasses
from typing import Any

import orjson

from providers.completion import Answer, Target
from providers.dialects.error_body import read_error
from providers.dialects.json_depth import is_too_deep
from providers.dialects.refusals import refusal
from providers.dialects.sse import Event, EventParser
from providers.dialects.stream_answer import StreamedAnswer
from providers.dialects.unusable import unusable
from providers.dialects.wire import StreamWish, WireResponse
from providers.failure import Failure

DONE = b"[DONE]"


class OpenAIStream:
    """Reads one stream; see `providers.dialects.AnswerStream`."""

    def __init__(self, response: WireResponse, wanted: StreamWish, target: Target) -> None:
        self._response = response
        self._target = target
        self._parser = EventParser()
        self._answer = StreamedAnswer(response, target, include_usage=wanted.include_usage, choices=wanted.choices)
        self._failure: Failure | None = None
        self.is_over = False

    @property
    def is_whole(self) -> bool:
        """Whether every choice has ended; only usage or the end marker may still come."""
        return self._failure is None and self._answer.has_ended

    def feed(self, piece: bytes) -> list[bytes]:
        """Take bytes of the body; returns the chunks that they complete."""
        chunks = [] if self.is_over else self._read(self._parser.feed(piece))
        kept = self._parser.pending_bytes + self._answer.kept_bytes
        if not self.is_over and kept > self._target.max_response_bytes:
            self._fail(self._unusable(f"passes {self._target.max_response_bytes} bytes"))
        return chunks

    def end(self) -> list[bytes]:
        """Take the end of the body; returns the chunks that were missing."""
        chunks = self.feed(b"\n\n")  # an event that lacks its empty line
        if self.is_over:
            return chunks
        if self._answer.has_ended:
            return chunks + self._close()
        fault = "ended before its finish_reason" if self._answer.has_begun else "has no choices"
        self._fail(self._unusable(fault))
        return chunks

    def outcome(self) -> Answer | Failure:
        """Return the whole answer, or why there is none."""
        if self._failure is None:
            return self._answer.whole()
        if self._answer.has_begun and not self._failure.outcome_unknown:
            return dataclasses.replace(self._failure, outcome_unknown=True)
        return self._failure

    def _read(self, events: list[Event]) -> list[bytes]:
        chunks: list[bytes] = []
        for event in events:
            if event.data.startswith(DONE):
                return chunks + self._close()
            chunk = self._take(event)
            if isinstance(chunk, Failure):
                self._fail(chunk)
                return chunks
            if chunk is not None:
                chunks.append(chunk)
        return chunks

    def _take(self, event: Event) -> bytes | Failure | None:
        """Read one event: a chunk to hand on, a failure, or None for one that says nothing to the caller."""
        raw = event.data.strip()
        if not raw:
            return None
        try:
            data: Any = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return self._unusable("has an event that is not JSON")
        error = read_error(data, refused=event.name == b"error")
        if error is not None:
            return refusal(self._response, error, self._target)
        if type(data) is not dict:
            return self._unusable("has an event that is not a JSON object")
        if is_too_deep(raw, data):
            return self._unusable("is nested too deeply")
        return self._answer.take(data, raw)

    def _close(self) -> list[bytes]:
        self.is_over = True
        return self._answer.close()

    def _fail(self, failure: Failure) -> None:
        self.is_over = True
        self._failure = failure

    def _unusable(self, fault: str) -> Failure:
        return unusable(self._response, self._target, fault)
