"""The events of a streamed message: a start, blocks one after the other in pieces, an end.

message_start        id, model, counts of the input
content_block_*      a block's start, its pieces, its stop; blocks have numbers
message_delta        why it stopped, the counts so far
message_stop         the end
ping, error          at any time
"""

from collections.abc import Sequence
from typing import Any

import orjson

from providers.dialects.anthropic.counts import openai_tier, openai_usage
from providers.dialects.anthropic.ending import openai_finish, refusal_of
from providers.dialects.anthropic.error import read_anthropic_error
from providers.dialects.anthropic.response import handed_back
from providers.dialects.error_body import ErrorBody
from providers.dialects.sse import Event
from providers.dialects.translation import END, StreamEnd

Chunks = Sequence[dict[str, Any]]


class MessageEvents:
    """Translates the events of one message; see `EventReader`.

    Nothing is handed on before the first piece of the answer: a provider that is overloaded often says so right after
    the start, and until the first chunk the call can be made elsewhere.
    """

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._call_places: dict[int, int] = {}
        self._has_ended = False
        """Whether the reason came why the message stopped; without one it is not complete."""

    def read(self, event: Event) -> Chunks | ErrorBody | StreamEnd | None:
        """Translate one event. See `EventReader.read`."""
        data = orjson.loads(event.data)
        if type(data) is not dict:
            return None
        match data.get("type"):
            case "content_block_delta":
                return self._piece(data["index"], data["delta"])
            case "content_block_start":
                return self._start_block(data["index"], data["content_block"])
            case "content_block_stop":
                return self._stop_block(data["index"])
            case "message_start":
                return self._start(data["message"])
            case "message_delta":
                return self._finish(data["delta"], data.get("usage"))
            case "message_stop":
                return END if self._has_ended else None
            case None | "error":
                return read_anthropic_error(data, refused=True)
            case _:
                return ()  # pings, and kinds of events that are yet to come

    def _start(self, message: dict[str, Any]) -> Chunks | None:
        if self._blocks:
            return None  # another message was spliced in: what came of the first one is no answer
        self._head = {"id": message.get("id"), "model": message.get("model")}
        self._count(message.get("usage"))
        return ()

    def _start_block(self, index: int, block: dict[str, Any]) -> Chunks:
        kept = self._blocks[index] = {"type": block["type"]}
        match block["type"]:
            case "text" if block.get("text"):
                return self._chunk({"content": block["text"]})
            case "thinking":
                kept |= {"thinking": [], "signature": ""}
                return self._piece(index, {"type": "thinking_delta", "thinking": block.get("thinking") or ""})
            case "redacted_thinking":
                return self._chunk({"thinking_blocks": [handed_back(block)]})
            case "tool_use":
                kept["input"] = block.get("input") or {}
                place = self._call_places[index] = len(self._call_places)
                function = {"name": block["name"], "arguments": ""}
                call = {"index": place, "id": block["id"], "type": "function", "function": function}
                return self._chunk({"tool_calls": [call]})
        return ()

    def _piece(self, index: int, delta: dict[str, Any]) -> Chunks:
        block = self._blocks[index]
        match block["type"], delta["type"]:
            case "text", "text_delta":
                return self._chunk({"content": delta["text"]})
            case "tool_use", "input_json_delta" if delta["partial_json"]:
                block["input"] = None
                return self._arguments(index, delta["partial_json"])
            case "thinking", "thinking_delta" if delta["thinking"]:
                block["thinking"].append(delta["thinking"])
                return self._chunk({"reasoning_content": delta["thinking"]})
            case "thinking", "signature_delta":
                block["signature"] += delta["signature"]
        return ()

    def _stop_block(self, index: int) -> Chunks:
        block = self._blocks[index]
        match block["type"]:
            case "tool_use" if block["input"] is not None:  # no piece of it came: all of it stood in the start
                return self._arguments(index, orjson.dumps(block["input"]).decode())
            case "thinking":
                whole = {**block, "thinking": "".join(block["thinking"])}
                return self._chunk({"thinking_blocks": [handed_back(whole)]})
        return ()

    def _finish(self, delta: dict[str, Any], usage: Any) -> Chunks:
        self._count(usage)
        counts = {"usage": openai_usage(self._usage), "service_tier": openai_tier(self._usage)}
        finish = openai_finish(delta.get("stop_reason"))
        if finish is None:
            return ({"choices": [], **counts},)
        self._has_ended = True
        refusal = refusal_of(delta)
        return self._chunk({} if refusal is None else {"refusal": refusal}, finish, **counts)

    def _count(self, usage: Any) -> None:
        """Keep the newest of each count: the later ones include the earlier ones."""
        if type(usage) is dict:
            self._usage |= {name: value for name, value in usage.items() if value is not None}

    def _arguments(self, index: int, text: str) -> Chunks:
        return self._chunk({"tool_calls": [{"index": self._call_places[index], "function": {"arguments": text}}]})

    def _chunk(self, delta: dict[str, Any], finish: Any = None, **beside: Any) -> Chunks:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return ({**self._head, "choices": [choice], **beside},)
