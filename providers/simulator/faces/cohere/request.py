"""The reading of a chat request of Cohere's version 2, as strictly as the provider checks it."""

from dataclasses import replace
from typing import Any, Final

from providers.simulator.chat import ChatRequest, read_chat
from providers.simulator.faces import native
from providers.simulator.faces.native import Json, require

_FIELDS: Final = frozenset(
    {
        "model", "messages", "stream", "tools", "documents", "citation_options", "response_format", "safety_mode",
        "max_tokens", "stop_sequences", "temperature", "seed", "frequency_penalty", "presence_penalty", "k", "p",
        "logprobs", "tool_choice", "thinking", "priority", "raw_prompting", "strict_tools",
    }
)  # fmt: skip
_ROLES: Final = ("system", "user", "assistant", "tool")
_PARTS: Final = ("text", "image_url", "document", "thinking")


def read_v2(body: Json) -> ChatRequest:
    """Check a body and read it; raises Refused (400) in the provider's words."""
    extra = native.unknown(body, _FIELDS)
    require(extra is None, f"invalid request: unknown field: parameter '{extra}' is not a valid field")
    for name in ("temperature", "p", "frequency_penalty", "presence_penalty"):
        value = body.get(name)
        require(value is None or 0 <= value <= 1, f"invalid request: {name} must be between 0 and 1 inclusive")
    tools, choice, form = body.get("tools"), body.get("tool_choice"), body.get("response_format")
    require(choice in (None, "REQUIRED", "NONE"), "invalid request: tool_choice must be one of REQUIRED, NONE")
    require(tools or choice is None, "invalid request: tool_choice requires tools")
    require(not (tools and form), "invalid request: response_format is not supported together with tools")
    native_body: Json = {
        "model": body["model"],
        "messages": _messages(body.get("messages")),
        "max_tokens": body.get("max_tokens"),
        "stop": (body.get("stop_sequences") or [])[:4],
        "stream": body.get("stream"),
        "response_format": _format(form),
        **({"tools": tools, "tool_choice": (choice or "auto").lower()} if tools else {}),
    }
    return replace(read_chat(native_body), thinks=_thinks(body.get("thinking")))


def _thinks(thinking: object) -> bool:
    if thinking is None:
        return False
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    require(kind in ("enabled", "disabled"), "invalid request: thinking.type must be one of enabled, disabled")
    return kind == "enabled"


def _format(form: Any) -> Json | None:
    if form is None or form == {"type": "text"}:
        return None
    known = isinstance(form, dict) and form.get("type") == "json_object" and not set(form) - {"type", "json_schema"}
    require(known, "invalid request: response_format.type must be one of text, json_object")
    schema = form.get("json_schema")
    require(
        schema is None or isinstance(schema, dict), "invalid request: response_format.json_schema must be an object"
    )
    return native.schema_format(schema)


def _messages(value: object) -> list[Json]:
    messages = native.objects(value, "invalid request: messages must be a list")
    require(messages, "invalid request: messages must not be empty")
    asked: set[str] = set()
    read = []
    for number, message in enumerate(messages):
        where, role = f"invalid request: messages[{number}]", message.get("role")
        require(role in _ROLES, f"{where}: role must be one of {', '.join(_ROLES)}")
        text, others = _content(message.get("content"), where)
        calls = message.get("tool_calls") or []
        require(text or others or calls, "message must be at least 1 token long or tool results must be specified.")
        if role == "assistant":
            asked = {_call_id(call, where) for call in calls}
            read.append(native.assistant(text, calls))
        elif role == "tool":
            known = message.get("tool_call_id") in asked
            require(known, f"{where}: tool_call_id does not match a tool call of the turn before")
            read.append(native.result(message["tool_call_id"], text))
            asked.discard(message["tool_call_id"])
        else:
            require(not asked, f"{where}: every tool call must have a tool message: {', '.join(sorted(asked))}")
            read.append({"role": role, "content": text} if role == "system" else native.user([text], others))
    return read


def _call_id(call: Json, where: str) -> str:
    function = call.get("function") or {}
    good = call.get("type") == "function" and isinstance(function.get("arguments"), str) and function.get("name")
    require(good, f"{where}: tool_calls must have a type, an id and a function with a name and arguments")
    return native.text_of(call.get("id"), f"{where}: tool_calls must have an id")


def _content(content: object, where: str) -> tuple[str, int]:
    """Return the text of a message, and how many of its parts are none."""
    if content is None or isinstance(content, str):
        return content or "", 0
    parts = native.objects(content, f"{where}: content must be a string or a list of parts")
    strange = next((part.get("type") for part in parts if part.get("type") not in _PARTS), None)
    require(strange is None, f"{where}: content type {strange} is not known")
    texts = [_part_text(part, where) for part in parts if part["type"] in ("text", "document")]
    images = [part for part in parts if part["type"] == "image_url"]
    require(all((image.get("image_url") or {}).get("url") for image in images), f"{where}: image_url must have a url")
    return " ".join(texts), len(images)


def _part_text(part: Json, where: str) -> str:
    if part["type"] == "text":
        return native.text_of(part.get("text"), f"{where}: text must not be empty")
    data = (part.get("document") or {}).get("data")
    require(isinstance(data, str | dict), f"{where}: document must have data")
    return data if isinstance(data, str) else " ".join(str(value) for value in (data or {}).values())
