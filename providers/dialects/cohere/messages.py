"""A message in Cohere's words. Roles and tool calls are as OpenAI has them; reasoning goes back as plan or thinking."""

from collections.abc import Sequence
from typing import Any

from providers.chat.parts import Image, Inline, Link, Part, Text
from providers.chat.request import AssistantMessage, Message, SystemMessage, ToolMessage, UserMessage
from providers.chat.unservable import unsupported


def message_of(message: Message, place: str, *, thinks: bool) -> dict[str, Any]:
    """Translate one message; `thinks` says that the model takes thinking back. Raises Unservable, naming the place."""
    match message:
        case SystemMessage(parts):
            return {"role": "system", "content": _content(parts, place)}
        case UserMessage(parts):
            return {"role": "user", "content": _content(parts, place)}
        case ToolMessage(call_id, _, parts):
            if not all(isinstance(part, Text) for part in parts):
                raise unsupported("media in the result of a tool", f"{place}.content")
            return {"role": "tool", "tool_call_id": call_id, "content": message.text}
        case AssistantMessage():
            return _assistant(message, place, thinks=thinks)


def _assistant(message: AssistantMessage, place: str, *, thinks: bool) -> dict[str, Any]:
    """Translate an earlier answer. A model that does not think knows reasoning only as the plan of its tool calls."""
    said: dict[str, Any] = {"role": "assistant"}
    reasoning = "".join(thought.text for thought in message.thoughts)
    content = _content(message.parts, place)
    if thinks and reasoning:
        texts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        content = [{"type": "thinking", "thinking": reasoning}, *(part for part in texts if part["text"])]
    if content or not message.tool_calls:
        said["content"] = content
    if message.tool_calls:
        said["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
        if reasoning and not thinks:
            said["tool_plan"] = reasoning
    return said


def _content(parts: Sequence[Part], place: str) -> str | list[dict[str, Any]]:
    if not parts:
        return ""
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [_part(part, f"{place}.content[{at}]") for at, part in enumerate(parts)]


def _part(part: Part, place: str) -> dict[str, Any]:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image(Inline(media_type, data)):
            return _image(f"data:{media_type};base64,{data}", part)
        case Image(Link(url)) if url.startswith("http"):
            return _image(url, part)
        case Image():
            raise unsupported("an image whose address is neither https nor a data URL", place)
        case _:
            raise unsupported("audio or files", place)


def _image(url: str, image: Image) -> dict[str, Any]:
    detail = {"detail": image.detail} if image.detail else {}
    return {"type": "image_url", "image_url": {"url": url, **detail}}
