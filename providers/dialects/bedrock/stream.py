"""A stream of ConverseStream, event by event, as chunks of OpenAI's shape.

messageStart, then for each block: contentBlockStart (tool uses only), contentBlockDelta, contentBlockStop; then
messageStop with the ending and metadata with the usage, in either order. Payloads are padded by a member that says
nothing. The body ends after the last event; there is no end marker.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from providers.dialects import thinking_block
from providers.dialects.bedrock.frames import EXCEPTION
from providers.dialects.bedrock.refusal import exception
from providers.dialects.bedrock.response import (
    MALFORMED,
    SERVER_TOOL,
    account,
    ending,
    usage_of,
)
from providers.dialects.error_body import ErrorBody
from providers.dialects.request_id import request_id
from providers.dialects.sse import Event
from providers.dialects.wire import WireResponse

Chunks = Sequence[dict[str, Any]]


@dataclass(slots=True)
class _Thought:
    """The pieces of one block of reasoning."""

    texts: list[str] = field(default_factory=list)
    signature: str = ""
    redacted: bytes = b""


class StreamReader:
    """Reads one stream; see `providers.dialects.translation.EventReader`."""

    def __init__(self, response: WireResponse) -> None:
        identity = request_id(response.headers)
        self._head: dict[str, Any] = {} if identity is None else {"id": identity}
        self._calls: dict[int, int | None] = {}
        """The place of each tool call by its block; None for a tool that the provider runs itself."""
        self._thoughts: dict[int, _Thought] = {}
        self._is_empty = True

    def read(self, event: Event) -> Chunks | ErrorBody | None:
        """Read one event. Raises KeyError, TypeError or ValueError for one that is not of this shape."""
        data = orjson.loads(event.data or b"{}")
        if type(data) is not dict:
            return None
        if event.name.startswith(EXCEPTION):
            return exception(event.name.removeprefix(EXCEPTION).decode("utf-8", "replace"), data)
        match event.name:
            case b"messageStart":
                return self._delta({"role": "assistant"})
            case b"contentBlockStart":
                return self._begun(data["contentBlockIndex"], data.get("start") or {})
            case b"contentBlockDelta":
                return self._grown(data["contentBlockIndex"], data["delta"])
            case b"contentBlockStop":
                return self._thought_out(data["contentBlockIndex"])
            case b"messageStop":
                return self._ended(data["stopReason"])
            case b"metadata":
                return ({**self._head, "choices": [], "usage": usage_of(data.get("usage")), **account(data)},)
            case _:
                return ()  # added after this was written: it cannot be what an answer hangs on

    def _begun(self, block: int, start: dict[str, Any]) -> Chunks:
        use = start.get("toolUse")
        if use is None:
            return ()
        if use.get("type") == SERVER_TOOL:
            self._calls[block] = None
            return ()
        self._is_empty = False
        place = self._calls[block] = sum(1 for known in self._calls.values() if known is not None)
        function = {"name": use["name"], "arguments": ""}
        return self._call({"index": place, "id": use["toolUseId"], "type": "function", "function": function})

    def _grown(self, block: int, delta: dict[str, Any]) -> Chunks:
        if "text" in delta:
            self._is_empty = self._is_empty and not delta["text"]
            return self._delta({"content": delta["text"]})
        if "toolUse" in delta:
            place = self._calls[block]
            if place is None:
                return ()
            return self._call({"index": place, "function": {"arguments": delta["toolUse"]["input"]}})
        if "reasoningContent" in delta:
            return self._thinking(block, delta["reasoningContent"])
        return ()

    def _thinking(self, block: int, piece: dict[str, Any]) -> Chunks:
        thought = self._thoughts.setdefault(block, _Thought())
        thought.signature += piece.get("signature", "")
        thought.redacted += b64decode(piece.get("redactedContent", ""))
        if "text" not in piece:
            return ()
        thought.texts.append(piece["text"])
        return self._delta({"reasoning_content": piece["text"]})

    def _thought_out(self, block: int) -> Chunks:
        """Hand on a block of reasoning that is complete, where it has a seal to be handed back with."""
        thought = self._thoughts.pop(block, None)
        if thought is None:
            return ()
        if thought.redacted:
            return self._delta({"thinking_blocks": [thinking_block.redacted(b64encode(thought.redacted).decode())]})
        if thought.signature:
            return self._delta({"thinking_blocks": [thinking_block.sealed("".join(thought.texts), thought.signature)]})
        return ()

    def _ended(self, reason: str) -> Chunks | ErrorBody:
        if reason in MALFORMED and self._is_empty:
            return ErrorBody("the model's output was malformed", codes=(reason,), code=reason, status=424)
        left = [chunk for block in tuple(self._thoughts) for chunk in self._thought_out(block)]
        return [*left, {**self._head, "choices": [{"index": 0, "delta": {}, **ending(reason)}]}]

    def _delta(self, delta: dict[str, Any]) -> Chunks:
        return ({**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},)

    def _call(self, piece: dict[str, Any]) -> Chunks:
        return self._delta({"tool_calls": [piece]})
