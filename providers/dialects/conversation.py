"""The conversation: messages, already written, as the instructions and turns that two parties take one after the other.

What providers of this kind ask for, and what is done about it:

    instructions stand before the turns            leading system messages are kept apart
    later ones, where a model takes them at all,   only those stay system turns; all others are said by the user
    follow the user and precede the assistant
    the first turn is the user's                   where it is not, the user says next to nothing
    every call is answered in the very next turn   results of one round share one turn and come first in it;
                                                   a call without a result is refused, and so is a result without a call
    no blank turn                                  it is left out
    the last turn does not end in whitespace       it is cut off
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.request import AssistantMessage, Message, ToolMessage
from providers.chat.unservable import Unservable, unsupported
from providers.completion import Target

Block = dict[str, Any]
OPENING = "."
"""What the user says before an assistant that speaks first."""


@dataclass(slots=True)
class Turn:
    """One turn while it is put together."""

    role: str
    """`system`, `user` or `assistant`."""
    said: list[Block]
    results: list[Block] = field(default_factory=list)
    """Results of calls: they come before all else."""

    @property
    def content(self) -> list[Block]:
        """All blocks in order."""
        return [*self.results, *self.said]

    def written(self) -> dict[str, Any]:
        """Return it as providers want it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages, written and in order."""

    system: list[Block]
    turns: list[Turn]
    """At least one, none blank."""


def arrange(written: Sequence[Turn], target: Target, opening: Block) -> Conversation:
    """Put messages, each written as a turn of its own, into order. Raises Unservable.

    `opening` is the block in which the user says `OPENING`.
    """
    head = next((at for at, turn in enumerate(written) if turn.role != "system"), len(written))
    system = [block for turn in written[:head] for block in turn.said]
    late_system = ModelTrait.LATE_SYSTEM in target.model_traits
    turns = _merged(_placed(_merged(written[head:]), late_system=late_system))
    if not turns:  # instructions alone are the question
        if not system:
            raise Unservable("messages hold no text", "messages")
        turns, system = [Turn("user", system)], []
    if turns[0].role != "user":
        turns.insert(0, Turn("user", [opening]))
    if turns[-1].role == "assistant":
        _end_with_assistant(turns[-1], target)
    return Conversation(system, turns)


def check_rounds(messages: Sequence[Message]) -> None:
    """Raise Unservable for a call without its result in the next turn, or for a result without its call."""
    unanswered: dict[str, str] = {}
    is_next_turn = False
    for at, message in enumerate(messages):
        if isinstance(message, ToolMessage):
            if unanswered.pop(message.call_id, None) is None:
                place = f"messages[{at}].tool_call_id"
                raise Unservable(f"{place} answers no open call of the assistant message before it", place)
        elif isinstance(message, AssistantMessage):
            if is_next_turn:
                _refuse_unanswered(unanswered)
            for number, call in enumerate(message.tool_calls):
                unanswered[call.id] = f"messages[{at}].tool_calls[{number}]"
        is_next_turn = not isinstance(message, AssistantMessage)
    _refuse_unanswered(unanswered)


def _refuse_unanswered(unanswered: dict[str, str]) -> None:
    for place in unanswered.values():
        raise Unservable(f"{place} has no tool message with its result right after it", place)


def _merged(turns: Iterable[Turn]) -> list[Turn]:
    """Join neighbours of one role and leave out blank turns."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role:
            merged[-1].said += turn.said
            merged[-1].results += turn.results
        elif turn.said or turn.results:
            merged.append(turn)
    return merged


def _placed(turns: Sequence[Turn], *, late_system: bool) -> Iterable[Turn]:
    """Let the user say every instruction that may not stand where it stands."""
    roles = [turn.role for turn in turns]
    for turn, before, after in zip(turns, [None, *roles], [*roles[1:], "assistant"], strict=False):
        fits = late_system and before == "user" and after == "assistant"
        yield turn if turn.role != "system" or fits else Turn("user", turn.said)


def _end_with_assistant(turn: Turn, target: Target) -> None:
    if ModelTrait.NO_PREFILL in target.model_traits:
        raise unsupported("a conversation that ends with the assistant's words", "messages")
    last = turn.said[-1]
    if "text" in last:
        turn.said[-1] = {**last, "text": last["text"].rstrip()}
