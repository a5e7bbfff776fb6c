"""Reading a chat request: from OpenAI's JSON, already parsed, to values. Whatever is wrong is said with its place."""

from collections.abc import Mapping
from typing import Any

from providers.chat.left_out import NAMES
from providers.chat.message_reading import read_messages
from providers.chat.params import Params
from providers.chat.request import ChatRequest, FormatKind, ResponseFormat
from providers.chat.tool_reading import read_tool_choice, read_tools
from providers.chat.unservable import Unservable

NOT_PARAMS = ("model", "messages", "stream", "stream_options")

_NAMES_A_FUNCTION = ("tool", "function")
"""Roles whose `name` is not the speaker's."""


def read_chat_request(body: Mapping[str, Any]) -> ChatRequest:
    """Read a request. Raises Unservable, naming the field, for one that is not of OpenAI's shape."""
    params = Params({name: value for name, value in body.items() if name not in NOT_PARAMS})
    tools = read_tools(params)
    messages = read_messages(body.get("messages"))
    if any(message.get("name") and message.get("role") not in _NAMES_A_FUNCTION for message in body["messages"]):
        params.leave(NAMES, True)
    return ChatRequest(
        messages=messages,
        tools=tools,
        tool_choice=read_tool_choice(params, tools),
        response_format=_read_format(params.take("response_format")),
        max_tokens=_read_max_tokens(params),
        stop=_read_stop(params.take("stop")),
        choices=_read_choices(params),
        params=params,
    )


def _read_max_tokens(params: Params) -> int | None:
    newer, older = params.integer("max_completion_tokens"), params.integer("max_tokens")
    limit = older if newer is None else newer
    if limit is not None and limit < 1:
        raise Unservable("the limit of output tokens must be at least 1", "max_tokens")
    return limit


def _read_choices(params: Params) -> int:
    choices = params.integer("n")
    if choices is not None and not 1 <= choices <= 128:
        raise Unservable("n must be between 1 and 128", "n")
    return choices or 1


def _read_stop(stop: Any) -> tuple[str, ...]:
    words = [stop] if type(stop) is str else stop or []
    if type(words) is not list or not all(type(word) is str for word in words):
        raise Unservable("stop must be a string or a list of strings", "stop")
    return tuple(word for word in words if word)


def _read_format(wish: Any) -> ResponseFormat | None:
    if wish is None:
        return None
    kind = wish.get("type") if type(wish) is dict else None
    match kind:
        case "text":
            return None
        case "json_object":
            return ResponseFormat(FormatKind.JSON_OBJECT)
        case "json_schema":
            return _read_schema(wish.get("json_schema"))
        case _:
            raise Unservable("response_format.type must be text, json_object or json_schema", "response_format")


def _read_schema(wish: Any) -> ResponseFormat:
    schema = wish.get("schema") if type(wish) is dict else None
    if type(schema) is not dict:
        raise Unservable("response_format.json_schema.schema must be an object", "response_format")
    name, description, strict = wish.get("name"), wish.get("description"), wish.get("strict")
    return ResponseFormat(
        FormatKind.JSON_SCHEMA,
        name=name if type(name) is str and name else "answer",
        schema=schema,
        description=description if type(description) is str else None,
        strict=strict if type(strict) is bool else None,
    )
