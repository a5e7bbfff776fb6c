"""The reading of a Converse request: its fields, as strictly as the provider checks them."""

import re
from dataclasses import replace
from typing import Any, Final

import orjson

from providers.simulator.chat import ChatRequest, read_chat
from providers.simulator.faces import native
from providers.simulator.faces.bedrock.turns import read_turns, system_text
from providers.simulator.faces.native import Json, require

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def read_converse(body: Json, model: str, *, stream: bool) -> ChatRequest:
    """Check a body and read it; raises Refused (400) in the provider's words."""
    system = system_text(body.get("system"))
    tool_config = body.get("toolConfig")
    inference = body.get("inferenceConfig") or {}
    _check_inference(inference)
    native_body: Json = {
        "model": model,
        "messages": [
            *([{"role": "system", "content": system}] if system else []),
            *read_turns(body.get("messages"), with_tools=tool_config is not None),
        ],
        "max_tokens": inference.get("maxTokens"),
        "stop": (inference.get("stopSequences") or [])[:4],
        "stream": stream,
        "response_format": _format(body.get("outputConfig")),
        **(_tools(tool_config) if tool_config is not None else {}),
    }
    more = body.get("additionalModelRequestFields") or {}
    require(isinstance(more, dict), "The value at additionalModelRequestFields must be an object.")
    if (more.get("tool_choice") or {}).get("disable_parallel_tool_use") is True:
        native_body["parallel_tool_calls"] = False
    return replace(read_chat(native_body), thinks=_thinks(more))


def _check_inference(config: Json) -> None:
    for name in ("temperature", "topP"):
        value = config.get(name)
        inside = value is None or 0 <= value <= 1
        require(inside, f"Value '{value}' at 'inferenceConfig.{name}' failed to satisfy constraint: between 0 and 1")
    for stop in config.get("stopSequences") or ():
        good = isinstance(stop, str) and stop
        require(good, "Value at 'inferenceConfig.stopSequences' failed to satisfy constraint: minimum length of 1")


def _thinks(more: Json) -> bool:
    """Whether the model's own fields ask for thinking: Claude's way or Nova's."""
    thinking, reasoning = more.get("thinking") or {}, more.get("reasoningConfig") or more.get("reasoning_config") or {}
    if isinstance(reasoning, dict) and reasoning.get("type") == "enabled":
        return True
    return isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")


def _format(config: object) -> Json | None:
    form = config.get("textFormat") if isinstance(config, dict) else None
    if form is None:
        return None
    require(form.get("type") == "json_schema", "The value at outputConfig.textFormat.type must be: json_schema.")
    named = form.get("structure", {}).get("jsonSchema", {})
    where = "outputConfig.textFormat.structure.jsonSchema.schema"
    text = native.text_of(named.get("schema"), f"The value at {where} must be a string.")
    try:
        schema: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        schema = None
    require(isinstance(schema, dict), f"The value at {where} is not a valid JSON schema.")
    return native.schema_format(schema)


def _tools(config: object) -> Json:
    """Return the tools and the choice among them as OpenAI has them."""
    given = native.object_of(config, "The value at toolConfig must be an object.")
    least = (
        "Value at 'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or equal to 1"
    )
    offered = native.objects(given.get("tools"), least)
    require(offered, least)
    tools = [_tool(one["toolSpec"], number) for number, one in enumerate(offered) if "toolSpec" in one]
    return {"tools": tools, **_choice(given.get("toolChoice"))}


def _choice(choice: object) -> Json:
    if choice is None:
        return {}
    one = "Exactly one member of toolConfig.toolChoice must be set: auto, any or tool."
    given = native.object_of(choice, one)
    require(len(given) == 1, one)
    (kind, inner), *_ = given.items()
    wanted = {"auto": "auto", "any": "required"}.get(kind, native.forced(str(inner.get("name"))))
    require(kind in ("auto", "any", "tool"), f"Unknown member of toolConfig.toolChoice: {kind}.")
    return {"tool_choice": wanted}


def _tool(spec: Json, number: int) -> Json:
    where = f"toolConfig.tools.{number}.toolSpec"
    name, described = spec.get("name"), spec.get("description")
    pattern = "Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+"
    require(
        isinstance(name, str) and _NAME.fullmatch(name),
        f"Value '{name}' at '{where}.name' failed to satisfy constraint: {pattern}",
    )
    least = "Member must have length greater than or equal to 1"
    require(described is None or described, f"Value at '{where}.description' failed to satisfy constraint: {least}")
    schema = (spec.get("inputSchema") or {}).get("json")
    require(isinstance(schema, dict), f"The value at {where}.inputSchema.json must be an object.")
    typed = isinstance(schema, dict) and schema.get("type") == "object"
    require(typed, f"The value at {where}.inputSchema.json.type must be one of the following: object.")
    return native.tool(str(name), described, schema)
