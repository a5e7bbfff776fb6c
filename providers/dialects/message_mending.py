"""Mending an assistant message: content in pieces, reasoning under other names, tool calls with gaps."""

import hashlib
from typing import Any

import orjson

REASONING_CHUNKS = frozenset({"thinking", "reasoning"})


def mend_message(message: dict[str, Any], owner: str) -> None:
    """Change a message in place until clients' types accept it. `owner` names its choice, for ids to be minted."""
    message["role"] = "assistant"
    mend_content(message)
    mend_reasoning(message)
    if type(message.get("refusal", "")) is not str:
        message["refusal"] = None
    if "tool_calls" in message:
        message["tool_calls"] = _mended_calls(message["tool_calls"], owner)
        if message["tool_calls"] is None:
            del message["tool_calls"]
    _mend_function_call(message)
    if "audio" in message and not _is_audio(message["audio"]):
        message["audio"] = None
    _mend_annotations(message)


def mend_content(message: dict[str, Any]) -> None:
    """Join content that came as typed chunks: text to content, thinking to reasoning_content."""
    content = message.get("content")
    if type(content) is list:
        thinking = "".join(_chunk_text(chunk) for chunk in content if _is_reasoning(chunk))
        message["content"] = "".join(_chunk_text(chunk) for chunk in content if not _is_reasoning(chunk))
        if thinking and not message.get("reasoning_content"):
            message["reasoning_content"] = thinking
    elif content is not None and type(content) is not str:
        message["content"] = orjson.dumps(content).decode()


def _is_reasoning(chunk: Any) -> bool:
    return type(chunk) is dict and type(chunk.get("type")) is str and chunk["type"] in REASONING_CHUNKS


def _chunk_text(chunk: Any) -> str:
    """Return the text of a chunk, whose parts may themselves be lists of chunks."""
    if type(chunk) is str:
        return chunk
    if type(chunk) is not dict:
        return ""
    for name in ("text", "thinking", "reasoning", "content", "summary"):
        inner = chunk.get(name)
        if type(inner) is str:
            return inner
        if type(inner) is list:
            return "".join(_chunk_text(part) for part in inner)
    return ""


def mend_reasoning(message: dict[str, Any]) -> None:
    """Put reasoning where clients look for it; the server's own fields stay."""
    if message.get("reasoning_content"):
        return
    reasoning, details = message.get("reasoning"), message.get("reasoning_details")
    if type(reasoning) is str and reasoning:
        message["reasoning_content"] = reasoning
    elif type(details) is list and (text := "".join(_chunk_text(detail) for detail in details)):
        message["reasoning_content"] = text


def _mended_calls(calls: Any, owner: str) -> list[dict[str, Any]] | None:
    """Return the calls that name a function, complete; None where there are none."""
    if type(calls) is not list:
        return None
    mended = [_mended_call(call, f"{owner}:{place}") for place, call in enumerate(calls) if _names_something(call)]
    return mended or None


def _names_something(call: Any) -> bool:
    if type(call) is not dict:
        return False
    function = call.get("function")
    return _is_custom(call) or (type(function) is dict and type(function.get("name")) is str)


def _is_custom(call: dict[str, Any]) -> bool:
    custom = call.get("custom")
    return (
        call.get("type") == "custom"
        and type(custom) is dict
        and type(custom.get("name")) is str
        and type(custom.get("input")) is str
    )


def _mended_call(call: dict[str, Any], owner: str) -> dict[str, Any]:
    if type(call.get("id")) is not str or not call["id"]:
        call["id"] = "call_" + hashlib.blake2b(owner.encode("utf-8", "replace"), digest_size=12).hexdigest()
    if not _is_custom(call):
        call["type"] = "function"
        call["function"]["arguments"] = _arguments(call["function"].get("arguments"))
    return call


def _arguments(arguments: Any) -> str:
    """Return arguments as the JSON string that clients parse; a call without any has the empty object."""
    if type(arguments) is str:
        return arguments or "{}"
    return "{}" if arguments is None else orjson.dumps(arguments).decode()


def _mend_function_call(message: dict[str, Any]) -> None:
    call = message.get("function_call")
    if call is None:
        return
    if type(call) is dict and type(call.get("name")) is str and call["name"]:
        call["arguments"] = _arguments(call.get("arguments"))
    else:
        message["function_call"] = None


def _is_audio(audio: Any) -> bool:
    return (
        type(audio) is dict
        and bool(audio.get("id"))
        and all(type(audio.get(name)) is str for name in ("id", "data", "transcript"))
        and type(audio.get("expires_at")) is int
    )


def _mend_annotations(message: dict[str, Any]) -> None:
    """Keep the citations that clients' types know; if there are others, all move to `provider_annotations`."""
    annotations = message.get("annotations")
    if annotations is None or (type(annotations) is list and all(_is_citation(item) for item in annotations)):
        return
    message.setdefault("provider_annotations", annotations)
    known = [item for item in annotations if _is_citation(item)] if type(annotations) is list else []
    message["annotations"] = known


def _is_citation(item: Any) -> bool:
    return (
        type(item) is dict
        and item.get("type") == "url_citation"
        and type(citation := item.get("url_citation")) is dict
        and all(type(citation.get(name)) is int for name in ("start_index", "end_index"))
        and all(type(citation.get(name)) is str for name in ("title", "url"))
    )
