"""Messages, each written as a turn of the Messages API; `providers.dialects.conversation` puts them into order."""

import re
from collections.abc import Iterable, Sequence

from providers.chat.left_out import REASONING
from providers.chat.params import Params
from providers.chat.request import AssistantMessage, Message, SystemMessage, Thought, ToolMessage, UserMessage
from providers.completion import Target
from providers.dialects import thinking_block
from providers.dialects.anthropic.blocks import Block, marked, write_blocks
from providers.dialects.conversation import OPENING, Conversation, Turn, arrange, check_rounds
from providers.dialects.tool_name import checked_name, fitting_id

MOST_NAME_CHARS = 128
_ID = re.compile(r"[a-zA-Z0-9_-]+")


def write_messages(messages: Sequence[Message], params: Params, target: Target) -> Conversation:
    """Write messages. Raises Unservable, naming the place."""
    written = [_write_message(message, f"messages[{at}]") for at, message in enumerate(messages)]
    check_rounds(messages)
    if not all(thought.is_sealed for thought in _thoughts(messages)):
        params.leave(REASONING, True)
    return arrange(written, target, {"type": "text", "text": OPENING})


def _write_message(message: Message, place: str) -> Turn:
    at = f"{place}.content"
    match message:
        case SystemMessage():
            return Turn("system", write_blocks(message.parts, at))
        case UserMessage():
            return Turn("user", write_blocks(message.parts, at))
        case ToolMessage():
            return Turn("user", [], [_write_result(message, at)])
        case AssistantMessage():
            return Turn("assistant", _write_assistant(message, place))


def _write_result(message: ToolMessage, place: str) -> Block:
    """Write a result; a cache mark within it holds for the whole of it."""
    content = write_blocks(message.parts, place)
    mark = next((mark for block in reversed(content) if (mark := block.pop("cache_control", None))), None)
    result: Block = {"type": "tool_result", "tool_use_id": fitting_id(message.call_id, _ID)}
    if content:
        result["content"] = content
    return marked(result, mark)


def _write_assistant(message: AssistantMessage, place: str) -> list[Block]:
    thoughts = [_write_thought(thought) for thought in message.thoughts if thought.is_sealed]
    calls: list[Block] = [
        {
            "type": "tool_use",
            "id": fitting_id(call.id, _ID),
            "name": checked_name(call.name, f"{place}.tool_calls[{at}].function.name", most_chars=MOST_NAME_CHARS),
            "input": call.input,
        }
        for at, call in enumerate(message.tool_calls)
    ]
    return thoughts + write_blocks(message.parts, f"{place}.content") + calls


def _write_thought(thought: Thought) -> Block:
    if thought.redacted is not None:
        return thinking_block.redacted(thought.redacted)
    return thinking_block.sealed(thought.text, thought.signature or "")


def _thoughts(messages: Iterable[Message]) -> Iterable[Thought]:
    return (thought for message in messages if isinstance(message, AssistantMessage) for thought in message.thoughts)
