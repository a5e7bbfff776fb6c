"""The JSON tool: JSON asked for by one forced tool, where a model has no better way to be held to a schema.

The tool's parameters are the wished-for schema; what the model calls it with is the answer's text. The caller never
sees the tool: its call is turned back into content, in whole answers and in streams.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from providers.chat.request import ChatRequest, ResponseFormat, Tool, ToolChoice, ToolMode

NAME = "json_answer"


def with_json_tool(request: ChatRequest, wish: ResponseFormat) -> ChatRequest:
    """Return a request that has no tools of its own with its wish turned into the tool, forced."""
    description = wish.description or "Give the answer by calling this tool."
    tool = Tool(NAME, description, wish.schema or {"type": "object"})
    choice = ToolChoice(ToolMode.NAMED, NAME)
    return replace(request, tools=(tool,), tool_choice=choice, response_format=None)


def unwrap_answer(answer: dict[str, Any], name: str) -> None:
    """Turn the tool's call into the content of a whole answer of OpenAI's shape, in place."""
    for choice in answer["choices"]:
        message = choice["message"]
        calls = message.get("tool_calls") or []
        call = next((call for call in calls if call["function"]["name"] == name), None)
        if call is None:
            continue
        message["content"] = call["function"]["arguments"]
        message["tool_calls"] = [other for other in calls if other is not call]
        if not message["tool_calls"]:
            del message["tool_calls"]
        if choice.get("finish_reason") == "tool_calls":
            choice["finish_reason"] = "stop"


class JsonToolStream:
    """Turns the pieces of the tool's call into pieces of content, chunk by chunk.

    Words beside the call would spoil the JSON: they are held back, and handed on only where no call comes after all.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._places: set[tuple[int, int]] = set()
        self._words: dict[int, list[str]] = {}

    def unwrap(self, chunks: Sequence[dict[str, Any]]) -> None:
        """Change the chunks of OpenAI's shape in place."""
        for chunk in chunks:
            for choice in chunk.get("choices") or ():
                self._unwrap_choice(choice.get("index", 0), choice)

    def _unwrap_choice(self, index: int, choice: dict[str, Any]) -> None:
        delta = choice["delta"]
        if words := delta.pop("content", None):
            self._words.setdefault(index, []).append(words)
        if "tool_calls" in delta:
            self._unwrap_calls(index, delta)
        if not choice.get("finish_reason"):
            return
        if all(place != index for place, _ in self._places):
            if index in self._words:
                delta["content"] = "".join(self._words[index])
        elif choice["finish_reason"] == "tool_calls":
            choice["finish_reason"] = "stop"

    def _unwrap_calls(self, index: int, delta: dict[str, Any]) -> None:
        others = []
        for piece in delta.pop("tool_calls") or ():
            function = piece.get("function") or {}
            if function.get("name") == self._name:
                self._places.add((index, piece["index"]))
            if (index, piece["index"]) not in self._places:
                others.append(piece)
            elif function.get("arguments"):
                delta["content"] = delta.get("content", "") + function["arguments"]
        if others:
            delta["tool_calls"] = others
