"""A message in Ollama's words: one text, its images beside it, calls with their arguments as objects."""

from collections.abc import Sequence
from typing import Any

from providers.chat.parts import Image, Inline, Part, Text
from providers.chat.request import AssistantMessage, Message, SystemMessage, ToolMessage, UserMessage
from providers.chat.unservable import unsupported


def message_of(message: Message, place: str) -> dict[str, Any]:
    """Translate one message. Raises Unservable, naming the place."""
    match message:
        case SystemMessage(parts):
            return {"role": "system", **_content(parts, place)}
        case UserMessage(parts):
            return {"role": "user", **_content(parts, place)}
        case ToolMessage(call_id, name, parts):
            named = {"tool_name": name} if name else {}
            return {"role": "tool", "tool_call_id": call_id, **named, **_content(parts, place)}
        case AssistantMessage(parts, thoughts, calls):
            said: dict[str, Any] = {"role": "assistant", **_content(parts, place)}
            if thinking := "".join(thought.text for thought in thoughts):
                said["thinking"] = thinking
            if calls:
                said["tool_calls"] = [
                    {"id": call.id, "function": {"name": call.name, "arguments": call.input}} for call in calls
                ]
            return said


def _content(parts: Sequence[Part], place: str) -> dict[str, Any]:
    texts, images = [], []
    for at, part in enumerate(parts):
        if isinstance(part, Text):
            texts.append(part.text)
        else:
            images.append(_image(part, f"{place}.content[{at}]"))
    content = {"content": "\n".join(texts)}
    return {**content, "images": images} if images else content


def _image(part: Part, place: str) -> str:
    """Return the bare base64 of an image; Ollama fetches nothing."""
    match part:
        case Image(Inline(_, data)):
            return data
        case Image():
            raise unsupported("an image by its address: send it as a data URL", place)
        case _:
            raise unsupported("audio or files", place)
