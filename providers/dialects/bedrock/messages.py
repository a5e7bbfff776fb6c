"""Messages, each written as a turn of Converse; `providers.dialects.conversation` puts them into order."""

import re
from collections.abc import Iterable, Sequence

from providers.chat.left_out import REASONING
from providers.chat.params import Params
from providers.chat.request import AssistantMessage, Message, SystemMessage, Thought, ToolCall, ToolMessage, UserMessage
from providers.chat.unservable import unsupported
from providers.completion import Target
from providers.dialects.bedrock.blocks import Block, BlockWriter
from providers.dialects.conversation import OPENING, Conversation, Turn, arrange, check_rounds
from providers.dialects.tool_name import checked_name, fitting_id

MOST_NAME_CHARS = 64
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def write_messages(messages: Sequence[Message], params: Params, target: Target) -> Conversation:
    """Write the messages of a request. Raises Unservable."""
    writer = BlockWriter(target)
    written = [_write_message(message, f"messages[{at}]", writer) for at, message in enumerate(messages)]
    check_rounds(messages)
    if not all(thought.is_sealed for one in messages if isinstance(one, AssistantMessage) for thought in one.thoughts):
        params.leave(REASONING, True)
    conversation = arrange(written, target, {"text": OPENING})
    for turn in conversation.turns:
        _accompany_documents(turn)
    return conversation


def _write_message(message: Message, place: str, writer: BlockWriter) -> Turn:
    at = f"{place}.content"
    match message:
        case SystemMessage():
            return Turn("system", writer.blocks(message.parts, at))
        case UserMessage():
            return Turn("user", writer.blocks(message.parts, at))
        case ToolMessage():
            return Turn("user", [], _result(message, at, writer))
        case AssistantMessage():
            calls = [_tool_use(call, f"{place}.tool_calls[{n}]") for n, call in enumerate(message.tool_calls)]
            return Turn("assistant", [*_thoughts(message.thoughts), *writer.blocks(message.parts, at), *calls])


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
    name = checked_name(call.name, f"{place}.function.name", most_chars=MOST_NAME_CHARS)
    return {"toolUse": {"toolUseId": fitting_id(call.id, _ID), "name": name, "input": call.input}}


def _result(message: ToolMessage, place: str, writer: BlockWriter) -> list[Block]:
    blocks = writer.blocks(message.parts, place)
    points = [block for block in blocks if "cachePoint" in block]  # not taken inside a result
    content = [block for block in blocks if "cachePoint" not in block]
    if any("audio" in block for block in content):
        raise unsupported("audio in a tool's result", place)
    return [{"toolResult": {"toolUseId": fitting_id(message.call_id, _ID), "content": content}}, *points[-1:]]


def _accompany_documents(turn: Turn) -> None:
    """Put words beside documents that stand without any: they are refused alone."""
    kinds = {kind for block in turn.said for kind in block}
    if "document" in kinds and "text" not in kinds:
        names = ", ".join(block["document"]["name"] for block in turn.said if "document" in block)
        turn.said.append({"text": f"Attached: {names}"})
