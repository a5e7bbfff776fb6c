"""Reading the messages of a chat request, roles and tool calls included."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from providers.chat.part_reading import read_parts, read_texts
from providers.chat.request import (
    AssistantMessage,
    Message,
    SystemMessage,
    Thought,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from providers.chat.unservable import Unservable


def read_messages(messages: Any) -> tuple[Message, ...]:
    """Read every message in order. Raises Unservable, naming the place."""
    if type(messages) is not list or not messages:
        raise Unservable("messages must be a list with at least one message", "messages")
    calls = _Calls()
    return tuple(_read_message(message, f"messages[{at}]", calls) for at, message in enumerate(messages))


@dataclass(frozen=True, slots=True)
class _Calls:
    """The calls so far, for the results that follow them."""

    names: dict[str, str] = field(default_factory=dict)
    """Functions' names by the ids of their calls."""
    latest: dict[str, str] = field(default_factory=dict)
    """The id of the latest call of each function."""

    def add(self, call: ToolCall) -> None:
        self.names[call.id] = call.name
        self.latest[call.name] = call.id


def _read_message(message: Any, place: str, calls: _Calls) -> Message:
    """Read one message."""
    if type(message) is not dict:
        raise Unservable(f"{place} must be an object with role and content", place)
    content, at = message.get("content"), f"{place}.content"
    match message.get("role"):
        case "system" | "developer":
            return SystemMessage(read_texts(content, at))
        case "user":
            parts = read_parts(content, at)
            if not parts:
                raise Unservable(f"{at} must not be empty", at)
            return UserMessage(parts)
        case "assistant":
            return _read_assistant(message, place, calls)
        case "tool":
            return _read_result(message, place, calls)
        case "function":
            name = str(message.get("name") or "")
            return ToolMessage(calls.latest.get(name, f"call_{name}"), name, read_parts(content, at))
        case _:
            raise Unservable(f"{place}.role must be system, developer, user, assistant or tool", f"{place}.role")


def _read_result(message: dict[str, Any], place: str, calls: _Calls) -> ToolMessage:
    call_id = message.get("tool_call_id")
    if type(call_id) is not str or not call_id:
        raise Unservable(f"{place}.tool_call_id must name the call that this message answers", f"{place}.tool_call_id")
    name = calls.names.get(call_id) or message.get("name")
    return ToolMessage(
        call_id, name if type(name) is str else "", read_parts(message.get("content"), f"{place}.content")
    )


def _read_assistant(message: dict[str, Any], place: str, calls: _Calls) -> AssistantMessage:
    parts = read_texts(message.get("content"), f"{place}.content")
    if not any(part.text for part in parts) and type(refusal := message.get("refusal")) is str:
        parts = read_texts(refusal, f"{place}.refusal")
    asked = message.get("tool_calls")
    if not asked and message.get("function_call"):
        asked = [{"function": message["function_call"]}]
    if asked is not None and type(asked) is not list:
        raise Unservable(f"{place}.tool_calls must be a list", f"{place}.tool_calls")
    read = tuple(_read_call(call, f"{place}.tool_calls[{at}]") for at, call in enumerate(asked or ()))
    for call in read:
        calls.add(call)
    return AssistantMessage(parts, _read_thoughts(message), read, _signature(message))


def _read_call(call: Any, place: str) -> ToolCall:
    function = call.get("function") if type(call) is dict else None
    if type(function) is not dict or type(name := function.get("name")) is not str or not name:
        raise Unservable(f"{place} must be a function call with a name", place)
    arguments = function.get("arguments")
    text = arguments if type(arguments) is str else "" if arguments is None else orjson.dumps(arguments).decode()
    text = text.strip() or "{}"
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Unservable(f"{place}.function.arguments is not valid JSON", f"{place}.function.arguments") from None
    if type(parsed) is not dict:
        raise Unservable(f"{place}.function.arguments must be a JSON object", f"{place}.function.arguments")
    call_id = call.get("id")
    minted = "call_" + place.translate({ord(sign): "_" for sign in "[]."})
    return ToolCall(call_id if type(call_id) is str and call_id else minted, name, text, parsed, _signature(call))


def _signature(owner: dict[str, Any]) -> str | None:
    """Find the thought signature of a call or a message where Google's own OpenAI endpoint puts it."""
    extra = owner.get("extra_content")
    beside = extra.get("google") if type(extra) is dict else None
    signature = beside.get("thought_signature") if type(beside) is dict else None
    return signature if type(signature) is str and signature else None


def _read_thoughts(message: dict[str, Any]) -> tuple[Thought, ...]:
    """Read the reasoning that is handed back: sealed blocks where there are some, else the bare text."""
    blocks = message.get("thinking_blocks")
    thoughts = [_read_block(block) for block in blocks if type(block) is dict] if type(blocks) is list else []
    found = tuple(thought for thought in thoughts if thought is not None)
    text = message.get("reasoning_content") or message.get("reasoning")
    return found or ((Thought(text),) if type(text) is str and text else ())


def _read_block(block: dict[str, Any]) -> Thought | None:
    text, signature, data = block.get("thinking"), block.get("signature"), block.get("data")
    if block.get("type") == "redacted_thinking" and type(data) is str:
        return Thought("", redacted=data)
    if type(text) is not str:
        return None
    return Thought(text, signature if type(signature) is str and signature else None)
