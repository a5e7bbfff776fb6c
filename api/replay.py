"""Replay: a whole chat completion told as a stream, for a caller whose chunks were never heard or came before. Pure."""

from collections.abc import Mapping
from typing import Any

import orjson

_HEAD = ("id", "created", "model", "system_fingerprint", "service_tier")


def frames_of(body: bytes, *, include_usage: bool) -> bytes:
    """Tell a whole answer in as few chunks as the protocol allows: all of each choice at once, then how it ended."""
    whole: dict[str, Any] = orjson.loads(body)
    head = _head(whole) | ({"usage": None} if include_usage else {})
    choices = whole.get("choices") or []
    frames = [chunk_frame({**head, "choices": [_beginning(choice)]}) for choice in choices]
    frames += [chunk_frame({**head, "choices": [_end(choice)]}) for choice in choices]
    if include_usage and whole.get("usage") is not None:
        frames.append(usage_frame(whole, whole["usage"]))
    return b"".join(frames)


def usage_frame(chunk: Mapping[str, Any], usage: Any) -> bytes:
    """The last chunk of a stream whose caller asked for the usage."""
    return chunk_frame({**_head(chunk), "choices": [], "usage": usage})


def chunk_frame(chunk: Mapping[str, Any]) -> bytes:
    """One chunk as an event."""
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _head(answer: Mapping[str, Any]) -> dict[str, Any]:
    head = {name: answer[name] for name in _HEAD if name in answer}
    return {**head, "object": "chat.completion.chunk"}


def _beginning(choice: Mapping[str, Any]) -> dict[str, Any]:
    delta = {"role": "assistant", **(choice.get("message") or {})}
    calls = delta.get("tool_calls")
    if calls:
        delta["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls)]
    return {
        "index": choice.get("index", 0), "delta": delta, "finish_reason": None, "logprobs": choice.get("logprobs")
    }  # fmt: skip


def _end(choice: Mapping[str, Any]) -> dict[str, Any]:
    index, reason = choice.get("index", 0), choice.get("finish_reason") or "stop"
    return {"index": index, "delta": {}, "finish_reason": reason, "logprobs": None}
