"""The reading of Ollama's native requests, as strictly as the server checks them."""

import base64
import binascii
from dataclasses import replace
from typing import Final

import orjson

from providers.simulator.chat import ChatRequest, read_chat
from providers.simulator.embedding import EmbeddingRequest, read_embedding
from providers.simulator.faces import native
from providers.simulator.faces.native import Json, require

_LEVELS: Final = (None, True, False, "low", "medium", "high", "max")


def read_api_chat(body: Json) -> ChatRequest:
    """Check a body and read it; raises Refused (400). Unknown fields are passed over, as the server does."""
    options = body.get("options") or {}
    require(isinstance(options, dict), "json: cannot unmarshal into Go struct field ChatRequest.options")
    think = body.get("think")
    require(think in _LEVELS, f'invalid think value: {think!r} (must be "high", "medium", "low", true, or false)')
    limit = options.get("num_predict")
    tools = body.get("tools")
    native_body: Json = {
        "model": body["model"],
        "messages": [_message(one) for one in native.objects(body.get("messages"), "messages must be a list")],
        "max_tokens": limit if isinstance(limit, int) and limit > 0 else None,
        "stop": (options.get("stop") or [])[:4],
        "stream": body.get("stream") is not False,
        "response_format": _format(body.get("format")),
        **({"tools": tools} if tools else {}),
    }
    return replace(read_chat(native_body), thinks=think not in (None, False))


def read_api_embed(body: Json) -> EmbeddingRequest:
    """Check a body and read it; raises Refused (400)."""
    value = body.get("input")
    require(isinstance(value, str | list), "invalid input type")
    return read_embedding({"model": body["model"], "input": value, "dimensions": body.get("dimensions")})


def _format(form: object) -> Json | None:
    if form in (None, ""):
        return None
    require(form == "json" or isinstance(form, dict), 'invalid format: expected "json" or a JSON schema object')
    return native.schema_format(form if isinstance(form, dict) else None)


def _message(message: Json) -> Json:
    role, content = message.get("role"), message.get("content", "")
    require(role in ("system", "user", "assistant", "tool"), f"invalid role: {role!r}")
    text = "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string"
    require(isinstance(content, str), text)
    match role:
        case "assistant":
            return native.assistant(content, [_call(call) for call in message.get("tool_calls") or ()])
        case "tool":
            return native.result(str(message.get("tool_call_id") or message.get("tool_name")), content)
        case "user":
            images = message.get("images") or []
            for image in images:
                _check_image(image)
            return native.user([content], len(images))
        case _:
            return {"role": "system", "content": content}


def _call(call: Json) -> Json:
    function = call.get("function") or {}
    name = native.text_of(function.get("name"), "tool call without a function name")
    arguments = function.get("arguments")
    field = "ChatRequest.messages.tool_calls.function.arguments of type api.ToolCallFunctionArguments"
    require(isinstance(arguments, dict), f"json: cannot unmarshal string into Go struct field {field}")
    return native.call(str(call.get("id") or name), name, orjson.dumps(arguments).decode())


def _check_image(image: object) -> None:
    try:
        base64.b64decode(str(image), validate=True)
    except (binascii.Error, ValueError):
        require(False, "illegal base64 data at input byte 4")
