"""The tools of a request and the choice among them, as the Messages API wants them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.left_out import STRICT_TOOLS
from providers.chat.request import AssistantMessage, ChatRequest, Message, Tool, ToolChoice, ToolMode
from providers.completion import Target
from providers.dialects.anthropic.blocks import marked
from providers.dialects.anthropic.messages import MOST_NAME_CHARS
from providers.dialects.closed_schema import closed_schema
from providers.dialects.tool_name import checked_name

_CHOICES = {ToolMode.AUTO: "auto", ToolMode.NONE: "none", ToolMode.REQUIRED: "any", ToolMode.NAMED: "tool"}
_FORCED = frozenset({ToolMode.REQUIRED, ToolMode.NAMED})


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The fields `tools` and `tool_choice`, and what follows from them."""

    fields: dict[str, Any]
    is_forced: bool = False
    """Whether the model must call a tool."""


def write_tools(request: ChatRequest, target: Target, *, single: bool) -> Toolbox:
    """Write tools and choice, taking `parallel_tool_calls`. Raises Unservable for a name that does not fit.

    `single` says that at most one call is wanted whatever the caller says.
    """
    single = request.params.flag("parallel_tool_calls") is False or single
    if not request.tools:
        return _tools_of_the_past(request.messages)
    can_be_strict = ModelTrait.STRICT_TOOLS in target.model_traits
    tools = [_write_tool(tool, f"tools[{at}]", can_be_strict) for at, tool in enumerate(request.tools)]
    fields: dict[str, Any] = {"tools": tools}
    choice = _possible_choice(request, target)
    if single:
        choice = choice or ToolChoice(ToolMode.AUTO)
        fields["tool_choice"] = _write_choice(choice, single=choice.mode is not ToolMode.NONE)
    elif choice is not None:
        fields["tool_choice"] = _write_choice(choice, single=False)
    if any(tool.strict and "strict" not in written for tool, written in zip(request.tools, tools, strict=True)):
        request.params.leave(STRICT_TOOLS, True)
    return Toolbox(fields, choice is not None and choice.mode in _FORCED)


def _write_tool(tool: Tool, place: str, can_be_strict: bool) -> dict[str, Any]:
    written: dict[str, Any] = {"name": checked_name(tool.name, place, most_chars=MOST_NAME_CHARS)}
    if tool.description:
        written["description"] = tool.description
    written["input_schema"] = {"type": "object", "properties": {}, **(tool.parameters or {})}
    if tool.strict and can_be_strict and (closed := closed_schema(written["input_schema"])) is not None:
        written |= {"input_schema": closed, "strict": True}
    return marked(written, tool.cache_control)


def _possible_choice(request: ChatRequest, target: Target) -> ToolChoice | None:
    """Return the choice; one that the model does not take is handed back to the rule for parameters."""
    choice = request.tool_choice
    if choice is None or choice.mode not in _FORCED or ModelTrait.NO_FORCED_TOOLS not in target.model_traits:
        return choice
    request.params.leave("tool_choice", choice.mode.value)
    return None


def _write_choice(choice: ToolChoice, *, single: bool) -> dict[str, Any]:
    written: dict[str, Any] = {"type": _CHOICES[choice.mode]}
    if choice.mode is ToolMode.NAMED:
        written["name"] = choice.name
    if single:
        written["disable_parallel_tool_use"] = True
    return written


def _tools_of_the_past(messages: Iterable[Message]) -> Toolbox:
    """Declare the tools that earlier answers called: without any the API refuses their calls and results."""
    called = [call.name for one in messages if isinstance(one, AssistantMessage) for call in one.tool_calls]
    if not called:
        return Toolbox({})
    tools = [{"name": name, "input_schema": {"type": "object", "properties": {}}} for name in dict.fromkeys(called)]
    return Toolbox({"tools": tools, "tool_choice": {"type": "none"}})
