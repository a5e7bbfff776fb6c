"""Tools: what may be called, what must be, and what a history with calls asks for."""

from collections.abc import Iterable
from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.request import AssistantMessage, ChatRequest, Message, Tool, ToolChoice, ToolMode
from providers.completion import Target
from providers.dialects.anthropic.closed_schema import closed_schema
from providers.dialects.bedrock.blocks import cache_point
from providers.dialects.bedrock.tool_name import checked_name

STRICT = "tools[].function.strict"
_CHOICES = {ToolMode.AUTO: "auto", ToolMode.REQUIRED: "any", ToolMode.NAMED: "tool"}
_FORCED = frozenset({ToolMode.REQUIRED, ToolMode.NAMED})


def can_be_forced(target: Target) -> bool:
    """Tell whether the model can be told that it must call a tool."""
    return ModelTrait.TOOL_CHOICE in target.model_traits and ModelTrait.NO_FORCED_TOOLS not in target.model_traits


def is_forced(request: ChatRequest, target: Target) -> bool:
    """Tell whether the request will be sent with a tool that must be called."""
    choice = request.tool_choice
    return choice is not None and choice.mode in _FORCED and can_be_forced(target)


def write_tools(request: ChatRequest, target: Target, dropped: list[str], *, needed: bool) -> dict[str, Any] | None:
    """Write `toolConfig`, None where there is nothing to say.

    `needed` says that the messages hold calls or results: then the provider wants tools even where the caller gives
    none or forbids their use. A choice that the model cannot be given is handed back to the params.
    """
    choice = request.tool_choice
    tools = request.tools
    if choice is not None and choice.mode is ToolMode.NONE:
        tools, choice = (tools if needed else ()), None
    if not tools:
        tools = _tools_of(request.messages) if needed else ()
    if not tools:
        return None
    config: dict[str, Any] = {
        "tools": [block for at, tool in enumerate(tools) for block in _tool(tool, f"tools[{at}]", target, dropped)]
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


def _tool(tool: Tool, place: str, target: Target, dropped: list[str]) -> list[dict[str, Any]]:
    schema: dict[str, Any] = {"type": "object", "properties": {}, **(tool.parameters or {})}
    spec: dict[str, Any] = {"name": checked_name(tool.name, place), "inputSchema": {"json": schema}}
    if tool.description.strip():
        spec["description"] = tool.description
    can_be_strict = ModelTrait.STRICT_TOOLS in target.model_traits
    if tool.strict and can_be_strict and (closed := closed_schema(schema)) is not None:
        spec |= {"inputSchema": {"json": closed}, "strict": True}
    elif tool.strict and STRICT not in dropped:
        dropped.append(STRICT)
    return [{"toolSpec": spec}, *cache_point(tool.cache_control)]


def _choice(choice: ToolChoice) -> dict[str, Any]:
    return {_CHOICES[choice.mode]: {"name": choice.name} if choice.mode is ToolMode.NAMED else {}}


def _tools_of(messages: Iterable[Message]) -> tuple[Tool, ...]:
    """List the tools that were called before, by their names; some name where only results are left."""
    calls = (call for message in messages if isinstance(message, AssistantMessage) for call in message.tool_calls)
    return tuple(Tool(name) for name in dict.fromkeys(call.name for call in calls)) or (Tool("unavailable"),)
