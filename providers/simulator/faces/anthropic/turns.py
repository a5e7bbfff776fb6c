"""The turns of a Messages API conversation: their blocks, and the rule that every tool call is answered at once."""

import base64
import binascii
from typing import Final

import orjson

from providers.simulator.faces import native
from providers.simulator.faces.native import Json, require
from providers.simulator.thought import signature

_PICTURES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
_SOURCES: Final = ("base64", "url", "file", "text", "content")


def system_text(system: object) -> str:
    """Return the system prompt, a text or text blocks; raises Refused (400)."""
    if system is None or isinstance(system, str):
        return system or ""
    blocks = native.objects(system, "system: Input should be a valid list")
    return "\n".join(_text(block, f"system.{number}") for number, block in enumerate(blocks))


def read_turns(value: object, *, thinks: bool) -> list[Json]:
    """Return the messages as OpenAI has them; `thinks` tells that thinking is enabled. Raises Refused (400)."""
    turns = native.objects(value, "messages: Input should be a valid list")
    require(turns, "messages: at least one message is required")
    require(turns[0].get("role") == "user", 'messages: first message must use the "user" role')
    read: list[Json] = []
    for number, turn in enumerate(turns):
        where, role = f"messages.{number}", turn.get("role")
        require(role in ("user", "assistant"), f"{where}.role: Input should be 'user' or 'assistant'")
        blocks = _blocks(turn.get("content"), where)
        following = _blocks(turns[number + 1].get("content"), where) if number + 1 < len(turns) else None
        if role == "assistant":
            read.append(_assistant(blocks, where))
            _check_answered(blocks, following, where)
        else:
            previous = _blocks(turns[number - 1].get("content"), where) if number else []
            read += _user(blocks, _ids(previous, "tool_use", "id"), where)
    _check_ending(turns, thinks=thinks)
    return read


def _blocks(content: object, where: str) -> list[Json]:
    if isinstance(content, str):
        require(
            content,
            f"{where}: all messages must have non-empty content except for the optional final assistant message",
        )
        return [{"type": "text", "text": content}]
    blocks = native.objects(content, f"{where}.content: Input should be a valid list")
    require(
        blocks, f"{where}: all messages must have non-empty content except for the optional final assistant message"
    )
    return blocks


def _assistant(blocks: list[Json], where: str) -> Json:
    texts, calls = [], []
    for number, block in enumerate(blocks):
        here = f"{where}.content.{number}"
        match block.get("type"):
            case "text":
                texts.append(_text(block, here))
            case "tool_use":
                require(
                    isinstance(block.get("input"), dict), f"{here}.tool_use.input: Input should be a valid dictionary"
                )
                name = native.text_of(block.get("name"), f"{here}.tool_use.name: Field required")
                call_id = native.text_of(block.get("id"), f"{here}.tool_use.id: Field required")
                calls.append(native.call(call_id, name, orjson.dumps(block["input"]).decode()))
            case "thinking":
                signed = block.get("signature") == signature(str(block.get("thinking")))
                require(signed, f"{here}: Invalid `signature` in `thinking` block")
            case "redacted_thinking":
                native.text_of(block.get("data"), f"{here}.redacted_thinking.data: Field required")
            case kind:
                require(False, f"{here}: Input tag '{kind}' is not allowed in an assistant message")
    return native.assistant("\n".join(texts), calls)


def _user(blocks: list[Json], asked: list[str], where: str) -> list[Json]:
    results: list[Json] = []
    texts: list[str] = []
    others = 0
    for number, block in enumerate(blocks):
        here = f"{where}.content.{number}"
        match block.get("type"):
            case "text":
                texts.append(_text(block, here))
            case "image" | "document":
                _check_source(block, here)
                others += 1
            case "tool_result":
                call_id = str(block.get("tool_use_id"))
                stray = (
                    f"unexpected `tool_use_id` found in `tool_result` blocks: {call_id}. Each `tool_result` block must"
                )
                require(
                    call_id in asked, f"{here}: {stray} have a corresponding `tool_use` block in the previous message."
                )
                require(not texts and not others, f"{where}: `tool_result` blocks must come first in the content")
                results.append(native.result(call_id, _result_text(block.get("content"), here)))
            case kind:
                require(False, f"{here}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    return [*results, *([native.user(texts, others)] if texts or others else [])]


def _check_answered(blocks: list[Json], following: list[Json] | None, where: str) -> None:
    answered = _ids(following or [], "tool_result", "tool_use_id")
    missing = [one for one in _ids(blocks, "tool_use", "id") if one not in answered]
    complaint = f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}."
    more = "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    require(not missing, f"{where}: {complaint} {more}")


def _check_ending(turns: list[Json], *, thinks: bool) -> None:
    """Refuse a final assistant turn that ends in white space, and a tool loop that lost its thought."""
    last = max((n for n, turn in enumerate(turns) if turn["role"] == "assistant"), default=None)
    if last is None:
        return
    blocks = _blocks(turns[last]["content"], f"messages.{last}")
    if last == len(turns) - 1 and blocks[-1].get("type") == "text":
        bare = blocks[-1]["text"] == blocks[-1]["text"].rstrip()
        require(bare, "messages: final assistant content cannot end with trailing whitespace")
    in_loop = _ids(_blocks(turns[-1]["content"], ""), "tool_result", "tool_use_id")
    if thinks and in_loop and blocks[0].get("type") not in ("thinking", "redacted_thinking"):
        found = f"Expected `thinking` or `redacted_thinking`, but found `{blocks[0].get('type')}`."
        more = "When `thinking` is enabled, a final `assistant` message must start with a thinking block."
        require(False, f"messages.{last}.content.0.type: {found} {more}")


def _check_source(block: Json, here: str) -> None:
    source = native.object_of(block.get("source"), f"{here}.source: Field required")
    require(source.get("type") in _SOURCES, f"{here}.source: Input tag does not match any of the expected tags")
    if source["type"] != "base64":
        return
    media = _PICTURES if block["type"] == "image" else ("application/pdf",)
    require(source.get("media_type") in media, f"{here}.source.base64.media_type: Input should be one of {media}")
    try:
        base64.b64decode(source.get("data") or "", validate=True)
    except (binascii.Error, ValueError):
        require(False, f"{here}.source.base64: invalid base64 data")


def _result_text(content: object, here: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    blocks = native.objects(content, f"{here}.content: Input should be a valid list")
    return " ".join(_text(block, here) for block in blocks if block.get("type") == "text")


def _text(block: Json, here: str) -> str:
    require(isinstance(block.get("text"), str), f"{here}.text: Field required")
    text = native.text_of(block["text"], "messages: text content blocks must be non-empty")
    require(text.strip(), "messages: text content blocks must contain non-whitespace text")
    return text


def _ids(blocks: list[Json], kind: str, name: str) -> list[str]:
    return [str(block.get(name)) for block in blocks if block.get("type") == kind]
