"""Messages as turns: system text apart, roles alternating, tool results in the user's turns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.request import AssistantMessage, Message, SystemMessage, Thought, ToolCall, ToolMessage, UserMessage
from providers.chat.unservable import unsupported
from providers.completion import Target
from providers.dialects.bedrock.blocks import Block, BlockWriter
from providers.dialects.bedrock.tool_name import checked_name, fitting_id

UNSEALED = "messages[].reasoning_content"


@dataclass(slots=True)
class Conversation:
    """What a request's messages amount to."""

    system: list[Block] = field(default_factory=list)
    turns: list[dict[str, Any]] = field(default_factory=list)
    """`{role, content}`, neighbours never of one role."""
    has_tool_blocks: bool = False
    dropped: list[str] = field(default_factory=list)
    """For the receipt."""

    def say(self, role: str, blocks: Sequence[Block]) -> None:
        """Add blocks to the conversation; nothing happens without any."""
        if not blocks:
            return
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"] += blocks
        else:
            self.turns.append({"role": role, "content": [*blocks]})


def write_messages(messages: Sequence[Message], target: Target) -> Conversation:
    """Write the messages of a request. Raises Unservable."""
    found, writer = Conversation(), BlockWriter()
    for at, message in enumerate(messages):
        place = f"messages[{at}].content"
        match message:
            case SystemMessage():
                _write_system(message, place, found, writer, late=ModelTrait.LATE_SYSTEM in target.model_traits)
            case UserMessage():
                found.say("user", writer.blocks(message.parts, place))
            case AssistantMessage():
                found.say("assistant", _assistant(message, place, found, writer))
            case ToolMessage():
                found.has_tool_blocks = True
                found.say("user", _result(message, place, writer))
    _finish(found, target)
    return found


def _write_system(message: SystemMessage, place: str, found: Conversation, writer: BlockWriter, *, late: bool) -> None:
    """Instructions at the start have a field of their own; later ones go into the turns where the model allows it."""
    blocks = writer.blocks(message.parts, place)
    if found.turns:
        found.say("system" if late else "user", blocks)
    else:
        found.system += blocks


def _assistant(message: AssistantMessage, place: str, found: Conversation, writer: BlockWriter) -> list[Block]:
    found.has_tool_blocks |= bool(message.tool_calls)
    thoughts = _thoughts(message.thoughts)
    if len(thoughts) < len(message.thoughts) and UNSEALED not in found.dropped:
        found.dropped.append(UNSEALED)
    return [*thoughts, *writer.blocks(message.parts, place), *(_tool_use(call, place) for call in message.tool_calls)]


def _thoughts(thoughts: Iterable[Thought]) -> list[Block]:
    """Hand back the thoughts that carry a seal; models refuse any other."""
    blocks: list[Block] = []
    for thought in thoughts:
        if thought.redacted is not None:
            blocks.append({"reasoningContent": {"redactedContent": thought.redacted}})
        elif thought.signature is not None:
            text = {"text": thought.text, "signature": thought.signature}
            blocks.append({"reasoningContent": {"reasoningText": text}})
    return blocks


def _tool_use(call: ToolCall, place: str) -> Block:
    name = checked_name(call.name, place.replace(".content", ".tool_calls"))
    return {"toolUse": {"toolUseId": fitting_id(call.id), "name": name, "input": call.input}}


def _result(message: ToolMessage, place: str, writer: BlockWriter) -> list[Block]:
    blocks = writer.blocks(message.parts, place)
    points = [block for block in blocks if "cachePoint" in block]  # not taken inside a result
    content = [block for block in blocks if "cachePoint" not in block]
    if any("audio" in block for block in content):
        raise unsupported("audio in a tool's result", place)
    return [{"toolResult": {"toolUseId": fitting_id(message.call_id), "content": content}}, *points[-1:]]


def _finish(found: Conversation, target: Target) -> None:
    """Settle what only the whole conversation shows."""
    if not found.turns:
        raise unsupported("a conversation of system messages only", "messages")
    if found.turns[-1]["role"] == "assistant":
        if ModelTrait.NO_PREFILL in target.model_traits:
            raise unsupported("a conversation that ends with the assistant's words", "messages")
        _trim(found.turns[-1]["content"])
    for turn in found.turns:
        kinds = {kind for block in turn["content"] for kind in block}
        if "document" in kinds and "text" not in kinds:
            names = ", ".join(block["document"]["name"] for block in turn["content"] if "document" in block)
            turn["content"].append({"text": f"Attached: {names}"})


def _trim(content: list[Block]) -> None:
    """Take trailing white space off words that the model is to go on from: it is refused there."""
    if "text" in content[-1]:
        content[-1] = {"text": content[-1]["text"].rstrip()}
