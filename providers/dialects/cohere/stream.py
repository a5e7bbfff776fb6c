"""The events of a stream of Cohere's, as chunks of OpenAI's shape."""

from collections.abc import Sequence
from typing import Any

import orjson

from providers.dialects.cohere.response import call_of, finish_of, logprobs_of, usage_of
from providers.dialects.error_body import ErrorBody, read_error
from providers.dialects.sse import Event

_GATEWAY_TIMEOUT, _SERVER_ERROR = 504, 500

Chunks = Sequence[dict[str, Any]]


class CohereEvents:
    """Reads one stream. Events that say nothing to OpenAI's clients, or that nobody knows yet, are passed over."""

    def __init__(self) -> None:
        self._citations: list[Any] = []
        self._silent_calls: set[int] = set()

    def read(self, event: Event) -> Chunks | ErrorBody | None:
        """Read one event. See `EventReader.read`."""
        data = orjson.loads(event.data)
        error = read_error(data, refused=True)
        if error is not None or "type" not in data:
            return error
        delta = data.get("delta") or {}
        message = delta.get("message") or {}
        match data["type"]:
            case "message-start":
                return [{"id": data.get("id"), **_chunk({"role": "assistant"})}]
            case "content-start" | "content-delta":
                return _content(message["content"], data.get("logprobs"))
            case "tool-plan-delta":
                return [_chunk({"reasoning_content": message["tool_plan"]})]
            case "tool-call-start":
                return self._begin_call(data.get("index", 0), message["tool_calls"])
            case "tool-call-delta":
                return self._go_on_with_call(data.get("index", 0), message["tool_calls"])
            case "citation-start":
                self._citations.append(message["citations"])
                return ()
            case "message-end":
                return self._end(delta)
            case _:
                return ()

    def _begin_call(self, place: int, call: dict[str, Any]) -> Chunks:
        self._silent_calls.add(place)
        begun = call_of(call)
        begun["function"]["arguments"] = begun["function"]["arguments"] or ""
        return [_chunk({"tool_calls": [{"index": place, **begun}]})]

    def _go_on_with_call(self, place: int, call: dict[str, Any]) -> Chunks:
        piece = call["function"].get("arguments")
        if not piece or (piece == "null" and place in self._silent_calls):  # no arguments: `{}` comes at the end
            return ()
        self._silent_calls.discard(place)
        return [_chunk({"tool_calls": [{"index": place, "function": {"arguments": piece}}]})]

    def _end(self, delta: dict[str, Any]) -> Chunks | ErrorBody:
        """End the answer. Citations come now, all at once: clients cannot add to lists that they do not know."""
        word = delta.get("finish_reason")
        if error := delta.get("error"):
            return ErrorBody(message=str(error), status=_GATEWAY_TIMEOUT if word == "TIMEOUT" else _SERVER_ERROR)
        last = {"annotations": self._citations} if self._citations else {}
        return [{**_chunk(last, finish_of(word)), "usage": usage_of(delta.get("usage"))}]


def _content(content: dict[str, Any], logprobs: dict[str, Any] | None) -> Chunks:
    if thinking := content.get("thinking"):
        return [_chunk({"reasoning_content": thinking})]
    if text := content.get("text"):
        return [_chunk({"content": text}, logprobs=logprobs_of([logprobs] if logprobs else None))]
    return ()


def _chunk(delta: dict[str, Any], finish: Any = None, logprobs: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}]}
