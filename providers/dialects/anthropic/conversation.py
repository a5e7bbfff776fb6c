"""The conversation: messages as the Messages API's system prompt and turns.

What the API asks for, and what is done about it:

    instructions stand before the turns            leading system messages go to `system`
    later ones, where a model takes them at all,   only those stay system turns; all others are said by the user
    follow the user and precede the assistant
    every call is answered in the very next turn   results of one round share one turn and come first in it;
                                                   a call without a result is refused
    no blank text, no blank turn                   both are left out
    the last turn does not end in whitespace       it is cut off
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from providers.chat.request import AssistantMessage, Message, SystemMessage, Thought, ToolMessage, UserMessage
from providers.chat.unservable import Unservable, unsupported
from providers.dialects.anthropic.blocks import Block, marked, write_blocks
from providers.dialects.anthropic.tool_name import checked_name, fitting_id

UNSEALED = "messages[].reasoning_content"
"""Named in the receipt where reasoning without the provider's seal is left out: the API takes sealed blocks only."""


@dataclass(slots=True)
class Turn:
    """One turn while it is put together."""

    role: str
    content: list[Block]

    def written(self) -> dict[str, Any]:
        """Return it as the API wants it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages, written."""

    system: list[Block]
    turns: list[Turn]
    dropped: tuple[str, ...]


def write_conversation(messages: Sequence[Message], *, late_system: bool, prefill: bool) -> Conversation:
    """Write messages. Raises Unservable, naming the place.

    `late_system` says that the model takes system turns, `prefill` that it continues an answer that the caller began.
    """
    head = next((at for at, one in enumerate(messages) if not isinstance(one, SystemMessage)), len(messages))
    system = [block for at in range(head) for block in _write_message(messages[at], f"messages[{at}]").content]
    turns = _merged(_write_message(messages[at], f"messages[{at}]") for at in range(head, len(messages)))
    turns = _merged(_placed(turns, late_system=late_system))
    for turn in turns:
        turn.content.sort(key=lambda block: block["type"] != "tool_result")
    _check_results(turns, messages)
    if not turns:  # instructions alone are the question
        turns, system = [Turn("user", system)], []
    if not turns[0].content:
        raise Unservable("messages hold no text", "messages")
    if turns[-1].role == "assistant":
        _end_with_assistant(turns[-1], prefill=prefill)
    sealed = all(thought.is_sealed for thought in _thoughts(messages))
    return Conversation(system, turns, () if sealed else (UNSEALED,))


def _write_message(message: Message, place: str) -> Turn:
    at = f"{place}.content"
    match message:
        case SystemMessage():
            return Turn("system", write_blocks(message.parts, at))
        case UserMessage():
            return Turn("user", write_blocks(message.parts, at))
        case ToolMessage():
            return Turn("user", [_write_result(message, at)])
        case AssistantMessage():
            return Turn("assistant", _write_assistant(message, place))


def _write_result(message: ToolMessage, place: str) -> Block:
    """Write a result; a cache mark within it holds for the whole of it."""
    content = write_blocks(message.parts, place)
    mark = next((mark for block in reversed(content) if (mark := block.pop("cache_control", None))), None)
    result: Block = {"type": "tool_result", "tool_use_id": fitting_id(message.call_id)}
    if content:
        result["content"] = content
    return marked(result, mark)


def _write_assistant(message: AssistantMessage, place: str) -> list[Block]:
    thoughts = [_write_thought(thought) for thought in message.thoughts if thought.is_sealed]
    calls: list[Block] = [
        {
            "type": "tool_use",
            "id": fitting_id(call.id),
            "name": checked_name(call.name, f"{place}.tool_calls[{at}].function.name"),
            "input": call.input,
        }
        for at, call in enumerate(message.tool_calls)
    ]
    return thoughts + write_blocks(message.parts, f"{place}.content") + calls


def _write_thought(thought: Thought) -> Block:
    if thought.redacted is not None:
        return {"type": "redacted_thinking", "data": thought.redacted}
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def _thoughts(messages: Iterable[Message]) -> Iterable[Thought]:
    return (thought for message in messages if isinstance(message, AssistantMessage) for thought in message.thoughts)


def _merged(turns: Iterable[Turn]) -> list[Turn]:
    """Join neighbours of one role and leave out blank turns."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role:
            merged[-1].content += turn.content
        elif turn.content:
            merged.append(turn)
    return merged


def _placed(turns: Sequence[Turn], *, late_system: bool) -> Iterable[Turn]:
    """Let the user say every instruction that may not stand where it stands."""
    roles = [turn.role for turn in turns]
    for turn, before, after in zip(turns, [None, *roles], [*roles[1:], "assistant"], strict=False):
        fits = late_system and before == "user" and after == "assistant"
        yield turn if turn.role != "system" or fits else Turn("user", turn.content)


def _check_results(turns: Sequence[Turn], messages: Sequence[Message]) -> None:
    """Raise Unservable for a call without its result in the next turn, or for a result without its call."""
    open_ids: set[str] = set()
    for turn in turns:
        answered = [block["tool_use_id"] for block in turn.content if block["type"] == "tool_result"]
        for call_id in answered:
            if call_id not in open_ids:
                place = _place_of_result(call_id, messages)
                raise Unservable(f"{place} answers no open call of the assistant message before it", place)
            open_ids.remove(call_id)
        if open_ids:
            break
        open_ids = {block["id"] for block in turn.content if block["type"] == "tool_use"}
    if open_ids:
        place = _place_of_call(open_ids, messages)
        raise Unservable(f"{place} has no tool message with its result right after it", place)


def _place_of_result(call_id: str, messages: Sequence[Message]) -> str:
    return next(
        f"messages[{at}].tool_call_id"
        for at in reversed(range(len(messages)))
        if isinstance(message := messages[at], ToolMessage) and fitting_id(message.call_id) == call_id
    )


def _place_of_call(open_ids: set[str], messages: Sequence[Message]) -> str:
    return next(
        f"messages[{at}].tool_calls[{number}]"
        for at, message in enumerate(messages)
        if isinstance(message, AssistantMessage)
        for number, call in enumerate(message.tool_calls)
        if fitting_id(call.id) in open_ids
    )


def _end_with_assistant(turn: Turn, *, prefill: bool) -> None:
    if not prefill:
        raise unsupported("a conversation that ends with the assistant's words", "messages")
    last = turn.content[-1]
    if last["type"] == "text":
        turn.content[-1] = {**last, "text": last["text"].rstrip()}
