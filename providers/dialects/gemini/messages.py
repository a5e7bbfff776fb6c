"""The conversation: OpenAI's messages as turns of a user and a model, and the instructions apart from them.

Turns of one side are joined, the first is the user's, and none is empty: each of these is refused otherwise.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from providers.catalogue.model_trait import ModelTrait
from providers.chat.parts import Part, Text
from providers.chat.request import AssistantMessage, Message, SystemMessage, ToolCall, ToolMessage, UserMessage
from providers.chat.unservable import Unservable
from providers.completion import Target
from providers.dialects.gemini.media import write_media
from providers.dialects.gemini.service import Service

UNSIGNED = "skip_thought_signature_validator"
"""Google's own stand-in for the signature of a call that another model made."""

_NOTHING: dict[str, Any] = {"text": " "}
"""Stands where the caller says nothing and a turn must stand."""


def write_messages(messages: Sequence[Message], target: Target, service: Service) -> dict[str, Any]:
    """Return `contents` and, where there are instructions, `systemInstruction`. Raises Unservable."""
    instructions = [
        {"text": part.text} for message in messages if isinstance(message, SystemMessage) for part in message.parts
    ]
    instructions = [part for part in instructions if part["text"]]
    contents: list[dict[str, Any]] = []
    for at, message in enumerate(messages):
        role, parts = _turn(message, f"messages[{at}]", target, service)
        if not parts:
            continue
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})
    if not contents:  # instructions alone are a question
        return {"contents": [{"role": "user", "parts": instructions or [_NOTHING]}]}
    if contents[0]["role"] != "user":
        contents.insert(0, {"role": "user", "parts": [_NOTHING]})
    return (
        {"contents": contents, "systemInstruction": {"parts": instructions}} if instructions else {"contents": contents}
    )


def _turn(message: Message, place: str, target: Target, service: Service) -> tuple[str, list[dict[str, Any]]]:
    match message:
        case SystemMessage():
            return "user", []
        case UserMessage(parts):
            return "user", _write_parts(parts, place, target, service) or [_NOTHING]
        case ToolMessage():
            return "user", _write_result(message, place, target, service)
        case AssistantMessage():
            signs = ModelTrait.THOUGHT_SIGNATURES in target.model_traits
            return "model", [*_write_text(message), *_write_calls(message.tool_calls, service, signs=signs)]


def _write_parts(parts: Sequence[Part], place: str, target: Target, service: Service) -> list[dict[str, Any]]:
    return [
        {"text": part.text} if isinstance(part, Text) else write_media(part, f"{place}.content[{at}]", target, service)
        for at, part in enumerate(parts)
        if not isinstance(part, Text) or part.text
    ]


def _write_text(message: AssistantMessage) -> list[dict[str, Any]]:
    """Write what the model said, with the signature that stood beside it."""
    text = "".join(part.text for part in message.parts)
    if message.signature:
        return [{"text": text, "thoughtSignature": message.signature}]
    return [{"text": text}] if text else []


def _write_calls(calls: Sequence[ToolCall], service: Service, *, signs: bool) -> list[dict[str, Any]]:
    """Write calls. A model that wants its signatures back wants one at the first call of each turn."""
    written: list[dict[str, Any]] = []
    for call in calls:
        function = {"name": call.name, "args": call.input}
        part: dict[str, Any] = {"functionCall": {**function, "id": call.id} if service.knows_call_ids else function}
        if call.signature:
            part["thoughtSignature"] = call.signature
        written.append(part)
    if signs and written and not any(call.signature for call in calls):
        written[0]["thoughtSignature"] = UNSIGNED
    return written


def _write_result(message: ToolMessage, place: str, target: Target, service: Service) -> list[dict[str, Any]]:
    """Write a result; pictures and files that belong to it follow it."""
    if not message.name:
        raise Unservable(f"{place}.tool_call_id names no tool call of this request", f"{place}.tool_call_id")
    result = {"name": message.name, "response": _response(message.text)}
    media = [part for part in message.parts if not isinstance(part, Text)]
    return [
        {"functionResponse": {**result, "id": message.call_id} if service.knows_call_ids else result},
        *_write_parts(media, place, target, service),
    ]


def _response(text: str) -> dict[str, Any]:
    """Return a result as the object that it must be: itself where it is one, else wrapped as it stands."""
    if text.lstrip().startswith("{"):
        try:
            parsed = orjson.loads(text)
        except orjson.JSONDecodeError:
            return {"result": text}
        if type(parsed) is dict:
            return parsed
    return {"result": text}
