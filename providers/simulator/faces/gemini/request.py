"""The reading of a generateContent request, as strictly as the provider checks it."""

import re
from dataclasses import replace
from typing import Any, Final

from providers.simulator.chat import ChatRequest, read_chat
from providers.simulator.faces import native
from providers.simulator.faces.gemini.contents import read_turns, system_text
from providers.simulator.faces.gemini.fields import CONFIG, DECLARATION, REQUEST, checked, listed
from providers.simulator.faces.native import Json, require

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
_NOT_OPENAPI: Final = ("$schema", "$ref", "$defs", "additionalProperties", "const", "patternProperties")
_CHOICES: Final = {"AUTO": "auto", "VALIDATED": "auto", "NONE": "none"}
_LEVELS: Final = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_THINKING: Final = ("includeThoughts", "thinkingBudget", "thinkingLevel")
_CALLING: Final = ("mode", "allowedFunctionNames", "streamFunctionCallArguments")


def read_contents(
    body: Json, model: str, *, stream: bool, events: bool, roles: bool = False, more: tuple[str, ...] = ()
) -> ChatRequest:
    """Check a body and read it; raises Refused (400) in the provider's words.

    A stream of `events` is kept as `include_usage`. With `roles` every turn must say its role; `more` names fields
    beyond the common ones.
    """
    fields = checked(body, (*REQUEST, *more), "")
    config = checked(fields.get("generationConfig") or {}, CONFIG, "generation_config")
    _check_config(config)
    system = system_text(fields.get("systemInstruction"))
    tools = [tool for number, one in enumerate(listed(fields.get("tools"), "tools")) for tool in _tools(one, number)]
    native_body: Json = {
        "model": model,
        "messages": [
            *([{"role": "system", "content": system}] if system else []),
            *read_turns(fields.get("contents"), roles=roles),
        ],
        "n": config.get("candidateCount"),
        "max_tokens": config.get("maxOutputTokens"),
        "stop": listed(config.get("stopSequences"), "generation_config.stop_sequences")[:4],
        "stream": stream,
        "stream_options": {"include_usage": events},
        "response_format": _format(config),
    }
    if tools:
        native_body |= _chosen(tools, fields.get("toolConfig"))
    return replace(read_chat(native_body), thinks=_thinks(config))


def _check_config(config: Json) -> None:
    stops = listed(config.get("stopSequences"), "generation_config.stop_sequences")
    most = "* GenerateContentRequest.generation_config.stop_sequences: at most 5 stop sequences are allowed."
    require(len(stops) <= 5, most)
    count, warmth = config.get("candidateCount", 1), config.get("temperature")
    require(count is None or 1 <= count <= 8, "* GenerateContentRequest.generation_config.candidate_count: 1 to 8.")
    require(warmth is None or 0 <= warmth <= 2, "* GenerateContentRequest.generation_config.temperature: 0.0 to 2.0.")
    both = "responseSchema" in config and "responseJsonSchema" in config
    require(not both, "Only one of response_schema and response_json_schema can be set.")
    _check_openapi(config.get("responseSchema"), "generation_config.response_schema")


def _thinks(config: Json) -> bool:
    if config.get("thinkingConfig") is None:
        return False
    thinking = checked(config["thinkingConfig"], _THINKING, "generation_config.thinking_config")
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    require(level is None or str(level).upper() in _LEVELS, f"Thinking level {level} is not supported for this model.")
    require(level is None or budget is None, "You can only set only one of thinking budget and thinking level.")
    return thinking.get("includeThoughts") is True and budget != 0


def _format(config: Json) -> Json | None:
    schema = config.get("responseJsonSchema", config.get("responseSchema"))
    is_json = config.get("responseMimeType") == "application/json"
    require(schema is None or is_json, "Response schema is only supported with response mime type application/json.")
    if not is_json:
        return None
    return native.schema_format(_lower(schema) if "responseSchema" in config else schema)


def _tools(value: object, number: int) -> list[Json]:
    known = ("functionDeclarations", "googleSearch", "codeExecution", "urlContext")
    group = checked(value, known, f"tools[{number}]")
    found = []
    for index, one in enumerate(listed(group.get("functionDeclarations"), f"tools[{number}].function_declarations")):
        where = f"tools[{number}].function_declarations[{index}]"
        declared = checked(one, DECLARATION, where)
        name = declared.get("name")
        named = isinstance(name, str) and _NAME.fullmatch(name)
        require(named, f"* GenerateContentRequest.{where}.name: Invalid function name.")
        both = "parameters" in declared and "parametersJsonSchema" in declared
        require(
            not both, f"* GenerateContentRequest.{where}: only one of parameters, parameters_json_schema may be set."
        )
        _check_openapi(declared.get("parameters"), f"{where}.parameters")
        schema = declared.get("parametersJsonSchema", _lower(declared.get("parameters")))
        found.append(native.tool(str(name), declared.get("description"), schema))
    return found


def _chosen(tools: list[Json], config: object) -> Json:
    """Return the tools and the choice among them as OpenAI has them."""
    calling = checked(config or {}, ("functionCallingConfig", "retrievalConfig"), "tool_config").get(
        "functionCallingConfig"
    )
    rule = checked(calling or {}, _CALLING, "tool_config.function_calling_config")
    mode, allowed = str(rule.get("mode", "AUTO")).upper(), listed(rule.get("allowedFunctionNames"), "tool_config")
    require(mode == "ANY" or mode in _CHOICES, f"Invalid value at 'tool_config.function_calling_config.mode': {mode}")
    names = [tool["function"]["name"] for tool in tools]
    wrong = "* GenerateContentRequest.tool_config.function_calling_config.allowed_function_names: "
    require(not allowed or mode in ("ANY", "VALIDATED"), f"{wrong}only with the modes ANY and VALIDATED.")
    require(all(name in names for name in allowed), f"{wrong}not a subset of function_declarations.")
    kept = [tool for tool in tools if not allowed or tool["function"]["name"] in allowed]
    return {"tools": kept, "tool_choice": "required" if mode == "ANY" else _CHOICES[mode]}


def _check_openapi(schema: object, where: str) -> None:
    """Refuse what the OpenAPI subset of `Schema` does not have."""
    if not isinstance(schema, dict):
        return
    for name, value in schema.items():
        unknown = f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': Cannot find field."
        require(name not in _NOT_OPENAPI, unknown)
        for inner, part in value.items() if name == "properties" and isinstance(value, dict) else [("items", value)]:
            _check_openapi(part, f"{where}.{name}.{inner}" if name == "properties" else f"{where}.{name}")


def _lower(schema: Any) -> Any:
    """Return an OpenAPI schema with its type words in lower case, as JSON schema has them."""
    if isinstance(schema, dict):
        return {k: v.lower() if k == "type" and isinstance(v, str) else _lower(v) for k, v in schema.items()}
    return [_lower(one) for one in schema] if isinstance(schema, list) else schema
