"""Streams for the dialect tests: chunks as values, read by the dialect in one piece or in many."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from providers.completion import Answer
from providers.dialects import WireResponse, Wish, dialect
from providers.failure import Failure
from tests.dialects.wire import DATE, target

EVENTS = {"content-type": "text/event-stream", "date": DATE, "x-request-id": "req_1"}
HEAD: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1_700_000_000,
    "model": "served-model",
}
USAGE = {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}


@dataclass(frozen=True)
class Read:
    """What came of a stream."""

    raw: list[bytes]
    """The chunks that were handed on."""
    outcome: Answer | Failure

    @property
    def chunks(self) -> list[dict[str, Any]]:
        return [orjson.loads(chunk) for chunk in self.raw]

    @property
    def deltas(self) -> list[dict[str, Any]]:
        """The deltas of all chunks that have choices."""
        return [choice["delta"] for chunk in self.chunks for choice in chunk["choices"]]

    @property
    def text(self) -> str:
        return "".join(delta.get("content") or "" for delta in self.deltas)

    @property
    def answer(self) -> dict[str, Any]:
        """The whole answer's body; the outcome must be one."""
        assert isinstance(self.outcome, Answer), self.outcome
        body: dict[str, Any] = orjson.loads(self.outcome.body)
        return body

    @property
    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = self.answer["choices"][0]["message"]
        return message

    @property
    def failure(self) -> Failure:
        assert isinstance(self.outcome, Failure), self.outcome
        return self.outcome


def piece(delta: dict[str, Any] | None = None, finish: Any = None, **changes: Any) -> dict[str, Any]:
    """A chunk with one choice; `changes` are top-level fields, a value of `...` leaves one out."""
    choice = {"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
    chunk = {**HEAD, "choices": [choice], **changes}
    return {name: value for name, value in chunk.items() if value is not ...}


def sse(*chunks: Any, done: bool = True) -> bytes:
    """Write chunks, given as values or as the bytes of their data, as a body."""
    lines = [chunk if isinstance(chunk, bytes) else orjson.dumps(chunk) for chunk in chunks]
    return b"".join(b"data: " + line + b"\n\n" for line in [*lines, *([b"[DONE]"] if done else [])])


def read(*pieces: bytes, include_usage: bool = False, choices: int = 1, **changes: Any) -> Read:
    """Read a body to its end; what is handed on is held against the official types.

    `changes` are the target's, its dialect among them.
    """
    response, deployment = WireResponse(200, EVENTS, b""), target(**changes)
    stream = dialect(deployment.dialect).open_stream(response, Wish(include_usage, choices), deployment)
    chunks = [chunk for each in pieces for chunk in stream.feed(each)]
    chunks += stream.end()
    result = Read(chunks, stream.outcome())
    assert stream.is_over
    check(result, include_usage=include_usage)
    return result


def check(result: Read, *, include_usage: bool) -> None:
    """Hold the chunks against the official types, and each against the others."""
    for raw, chunk in zip(result.raw, result.chunks, strict=True):
        assert b"\n" not in raw
        ChatCompletionChunk.model_validate(chunk)
        assert bool(chunk["choices"]) is not ("usage" in chunk)
        assert "usage" not in chunk or (include_usage and raw is result.raw[-1])
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in result.chunks}) <= 1
    if isinstance(result.outcome, Answer):
        ChatCompletion.model_validate(result.answer)
        assert gathered_text(result.chunks) == (result.answer["choices"][0]["message"].get("content") or "")


def gathered_text(chunks: Iterable[dict[str, Any]]) -> str:
    """The text of the first choice, as a client puts it together."""
    found = sorted({choice["index"] for chunk in chunks for choice in chunk["choices"]})[:1]
    return "".join(
        choice["delta"].get("content") or ""
        for chunk in chunks
        for choice in chunk["choices"]
        if choice["index"] in found
    )
