"""Tools: what may be called, what must be, and what a history with calls asks for."""

from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.left_out import STRICT_TOOLS
from providers.chat.request import AssistantMessage, ChatRequest, Tool, ToolChoice, ToolMode
from providers.completion import Target
from providers.dialects.bedrock.blocks import cache_point
from providers.dialects.bedrock.messages import MOST_NAME_CHARS
from providers.dialects.closed_schema import closed_schema
from providers.dialects.tool_name import checked_name

_CHOICES = {ToolMode.AUTO: "auto", ToolMode.REQUIRED: "any", ToolMode.NAMED: "tool"}
_FORCED = frozenset({ToolMode.REQUIRED, ToolMode.NAMED})
_NO_TOOL = Tool("unavailable", "There is nothing to call.")
"""Stands where the provider wants a tool and none may be called."""


def can_be_forced(target: Target) -> bool:
    """Tell whether the model can be told that it must call a tool."""
    return ModelTrait.TOOL_CHOICE in target.model_traits and ModelTrait.NO_FORCED_TOOLS not in target.model_traits


def is_forced(request: ChatRequest, target: Target) -> bool:
    """Tell whether the request will be sent with a tool that must be called."""
    choice = request.tool_choice
    return choice is not None and choice.mode in _FORCED and can_be_forced(target)


def write_tools(request: ChatRequest, target: Target) -> dict[str, Any] | None:
    """Write `toolConfig`, None where there is nothing to say.

    Where messages hold calls the provider wants tools even if the caller gives none or forbids their use. A choice
    that the model cannot be given is handed back to the params.
    """
    tools, choice = request.tools, request.tool_choice
    if not tools or (choice is not None and choice.mode is ToolMode.NONE):
        tools, choice = ((_NO_TOOL,) if _has_calls(request) else ()), None
    if not tools:
        return None
    config: dict[str, Any] = {
        "tools": [block for at, tool in enumerate(tools) for block in _tool(tool, f"tools[{at}]", request, target)]
    }
    if choice is not None and choice.mode in _FORCED and not can_be_forced(target):
        request.params.leave("tool_choice", _CHOICES[choice.mode])
    elif choice is not None:
        config["toolChoice"] = _choice(choice)
    return config


def one_at_a_time(request: ChatRequest, target: Target) -> dict[str, Any]:
    """Take `parallel_tool_calls` and write what forbids several calls a turn, for models that can be told so."""
    if request.params.peek("parallel_tool_calls") is not False:
        return {}
    if request.tools and ModelTrait.ONE_TOOL_AT_A_TIME not in target.model_traits:
        return {}
    request.params.take("parallel_tool_calls")
    choice = request.tool_choice or ToolChoice(ToolMode.AUTO)
    if not request.tools or choice.mode is ToolMode.NONE:
        return {}
    named = {"name": choice.name} if choice.mode is ToolMode.NAMED else {}
    return {"tool_choice": {"type": _CHOICES[choice.mode], **named, "disable_parallel_tool_use": True}}


def _tool(tool: Tool, place: str, request: ChatRequest, target: Target) -> list[dict[str, Any]]:
    schema: dict[str, Any] = {"type": "object", "properties": {}, **(tool.parameters or {})}
    name = checked_name(tool.name, place, most_chars=MOST_NAME_CHARS)
    spec: dict[str, Any] = {"name": name, "inputSchema": {"json": schema}}
    if tool.description.strip():
        spec["description"] = tool.description
    can_be_strict = ModelTrait.STRICT_TOOLS in target.model_traits
    if tool.strict and can_be_strict and (closed := closed_schema(schema)) is not None:
        spec |= {"inputSchema": {"json": closed}, "strict": True}
    elif tool.strict:
        request.params.leave(STRICT_TOOLS, True)
    return [{"toolSpec": spec}, *cache_point(tool.cache_control)]


def _choice(choice: ToolChoice) -> dict[str, Any]:
    return {_CHOICES[choice.mode]: {"name": choice.name} if choice.mode is ToolMode.NAMED else {}}


def _has_calls(request: ChatRequest) -> bool:
    return any(isinstance(message, AssistantMessage) and message.tool_calls for message in request.messages)
