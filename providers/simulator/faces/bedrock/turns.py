"""The turns of a Converse conversation: alternating roles, no blank text, every tool use answered in the next turn."""

import base64
import binascii
import re
from typing import Final

import orjson

from providers.simulator.faces import native
from providers.simulator.faces.native import Json, require
from providers.simulator.thought import signature

_FORMATS: Final = {
    "image": ("png", "jpeg", "gif", "webp"),
    "document": ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"),
    "video": ("mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"),
    "audio": ("mp3", "wav", "opus", "aac", "flac", "mp4", "ogg", "webm", "m4a"),
}
_DOCUMENT_NAME: Final = re.compile(r"[a-zA-Z0-9()\[\]-]+(?: [a-zA-Z0-9()\[\]-]+)*")


def system_text(system: object) -> str:
    """Return the system prompt; raises Refused (400)."""
    blocks = native.objects(system or [], "The value at system must be a list of blocks.")
    return "\n".join(_text(block["text"], f"system.{number}") for number, block in enumerate(blocks) if "text" in block)


def read_turns(value: object, *, with_tools: bool) -> list[Json]:
    """Return the messages as OpenAI has them; `with_tools` tells that tools are offered. Raises Refused (400)."""
    turns = native.objects(value, "The value at messages must be a list of messages.")
    first = (
        "A conversation must start with a user message. Try again with a conversation that starts with a user message."
    )
    require(turns and turns[0].get("role") == "user", first)
    read: list[Json] = []
    asked: list[str] = []
    for number, turn in enumerate(turns):
        expected = "assistant" if number % 2 else "user"
        alternate = "A conversation must alternate between user and assistant roles. Make sure the conversation"
        require(turn.get("role") == expected, f"{alternate} alternates between user and assistant roles and try again.")
        where = f"messages.{number}.content"
        blocks = native.objects(turn.get("content"), f"The value at {where} must be a list of blocks.")
        empty = "is empty. Add a ContentBlock object to the content field and try again."
        require(blocks, f"The content field in the Message object at messages.{number} {empty}")
        tooled = any("toolUse" in block or "toolResult" in block for block in blocks)
        missing = "The toolConfig field must be defined when using toolUse and toolResult content blocks."
        require(with_tools or not tooled, missing)
        if expected == "assistant":
            read.append(_assistant(blocks, where))
            asked = [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block]
        else:
            read += _user(blocks, asked, where)
            asked = []
    require(
        not asked,
        f"Expected toolResult blocks at messages.{len(turns)}.content for the following Ids: {', '.join(asked)}",
    )
    return read


def _assistant(blocks: list[Json], where: str) -> Json:
    texts, calls = [], []
    for number, block in enumerate(blocks):
        here = f"{where}.{number}"
        if "text" in block:
            texts.append(_text(block["text"], here))
        elif "toolUse" in block:
            used = block["toolUse"]
            require(isinstance(used.get("input"), dict), f"The format of the value at {here}.toolUse.input is invalid.")
            name = native.text_of(used.get("name"), f"The value at {here}.toolUse.name is missing.")
            call_id = native.text_of(used.get("toolUseId"), f"The value at {here}.toolUse.toolUseId is missing.")
            calls.append(native.call(call_id, name, orjson.dumps(used["input"]).decode()))
        elif "reasoningContent" in block:
            said = block["reasoningContent"].get("reasoningText")
            signed = said is None or said.get("signature") == signature(str(said.get("text")))
            require(signed, f"The model returned the following errors: {here}: Invalid `signature` in `thinking` block")
        else:
            require("cachePoint" in block, f"The content block at {here} is not supported for the role assistant.")
    return native.assistant("\n".join(texts), calls)


def _user(blocks: list[Json], asked: list[str], where: str) -> list[Json]:
    results: list[Json] = []
    texts: list[str] = []
    others = 0
    for number, block in enumerate(blocks):
        here = f"{where}.{number}"
        if "text" in block:
            texts.append(_text(block["text"], here))
        elif "toolResult" in block:
            results.append(_result(block["toolResult"], here))
        elif kind := next((kind for kind in _FORMATS if kind in block), None):
            _check_bytes(block[kind], kind, here)
            others += 1
        else:
            require("cachePoint" in block, f"The content block at {here} is not supported for the role user.")
    _check_results([result["tool_call_id"] for result in results], asked, where)
    documents = [block["document"]["name"] for block in blocks if "document" in block]
    require(texts or not documents, "A text block is required when a message contains a document.")
    require(len(documents) == len(set(documents)), "Multiple documents have the same name. Give each its own.")
    return [*results, *([native.user(texts, others)] if texts or others else [])]


def _check_results(answered: list[str], asked: list[str], where: str) -> None:
    missing = [one for one in asked if one not in answered]
    require(not missing, f"Expected toolResult blocks at {where} for the following Ids: {', '.join(missing)}")
    most = "exceeds the number of toolUse blocks of previous turn."
    require(len(answered) <= len(asked), f"The number of toolResult blocks at {where} {most}")


def _result(result: Json, here: str) -> Json:
    """Return a tool's result: its texts and JSON values."""
    content = native.objects(result.get("content"), f"The value at {here}.toolResult.content must be a list of blocks.")
    require(result.get("status") in (None, "success", "error"), f"The value at {here}.toolResult.status is not known.")
    said = [block.get("text") or orjson.dumps(block.get("json", "")).decode() for block in content]
    return native.result(str(result.get("toolUseId")), " ".join(said))


def _check_bytes(block: Json, kind: str, here: str) -> None:
    known = block.get("format") in _FORMATS[kind] or (kind == "document" and "format" not in block)
    require(known, f"The format of the {kind} at {here} is not supported.")
    if kind == "document":
        named = isinstance(block.get("name"), str) and _DOCUMENT_NAME.fullmatch(block["name"])
        require(named, f"The document file name at {here} can only contain alphanumerics, single spaces, -, () and [].")
    source = block.get("source") or {}
    members = ("bytes", "s3Location", "text", "content")
    require(sum(name in source for name in members) == 1, f"Exactly one member of {here}.{kind}.source must be set.")
    try:
        good = "bytes" not in source or base64.b64decode(source["bytes"], validate=True) != b""
    except (binascii.Error, ValueError, TypeError):
        good = False
    require(good, f"The value at {here}.{kind}.source.bytes is not valid base64.")


def _text(text: object, here: str) -> str:
    blank = "is blank. Add text to the text field, and try again."
    require(isinstance(text, str) and text.strip(), f"The text field in the ContentBlock object at {here} {blank}")
    return str(text)
