"""Reading tools and the choice among them, in today's spelling and in the legacy one of functions."""

from typing import Any

from providers.chat.params import Params
from providers.chat.request import Tool, ToolChoice, ToolMode
from providers.chat.unservable import Unservable, unsupported

_MODES = {"auto": ToolMode.AUTO, "none": ToolMode.NONE, "required": ToolMode.REQUIRED, "any": ToolMode.REQUIRED}


def read_tools(params: Params) -> tuple[Tool, ...]:
    """Take `tools`, or the legacy `functions`. Raises Unservable."""
    tools, functions = params.take("tools"), params.take("functions")
    if tools is None and functions is not None:
        return tuple(_read_function(item, f"functions[{at}]") for at, item in enumerate(_list(functions, "functions")))
    return tuple(_read_tool(item, f"tools[{at}]") for at, item in enumerate(_list(tools or [], "tools")))


def read_tool_choice(params: Params, tools: tuple[Tool, ...]) -> ToolChoice | None:
    """Take `tool_choice`, or the legacy `function_call`; the tool that it names is among `tools`. Raises Unservable."""
    choice, legacy = params.take("tool_choice"), params.take("function_call")
    choice = legacy if choice is None else choice
    if choice is None:
        return None
    if type(choice) is str and choice in _MODES:
        if _MODES[choice] is ToolMode.REQUIRED and not tools:
            raise Unservable("tool_choice asks for a tool, and there are none in tools", "tool_choice")
        return ToolChoice(_MODES[choice])
    if type(choice) is dict and choice.get("type") == "allowed_tools":
        raise unsupported("a choice among allowed tools: list just those in tools", "tool_choice")
    function = choice.get("function", choice) if type(choice) is dict else None
    name = function.get("name") if type(function) is dict else None
    if type(name) is not str or all(tool.name != name for tool in tools):
        raise Unservable("tool_choice must be auto, none, required or name one of the tools", "tool_choice")
    return ToolChoice(ToolMode.NAMED, name)


def _read_tool(item: Any, place: str) -> Tool:
    kind = item.get("type") if type(item) is dict else None
    if kind not in (None, "function"):
        raise unsupported(f"a tool of type {str(kind)[:40]!r}", place)
    return _read_function(item.get("function") if type(item) is dict else None, place, item)


def _read_function(function: Any, place: str, owner: Any = None) -> Tool:
    name = function.get("name") if type(function) is dict else None
    if type(name) is not str or not name:
        raise Unservable(f"{place} must describe a function with a name", place)
    parameters, description = function.get("parameters"), function.get("description")
    if parameters is not None and type(parameters) is not dict:
        raise Unservable(f"{place}: parameters must be a JSON Schema object", place)
    strict = function.get("strict")
    mark = function.get("cache_control") or (owner.get("cache_control") if type(owner) is dict else None)
    return Tool(
        name=name,
        description=description if type(description) is str else "",
        parameters=parameters,
        strict=strict if type(strict) is bool else None,
        cache_control=mark if type(mark) is dict else None,
    )


def _list(value: Any, name: str) -> list[Any]:
    if type(value) is not list:
        raise Unservable(f"{name} must be a list", name)
    return value
