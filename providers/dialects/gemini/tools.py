"""Tools: functions that the model may call, and whether it may, must or must not."""

from collections.abc import Sequence
from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.left_out import STRICT_TOOLS
from providers.chat.request import ChatRequest, Tool, ToolMode
from providers.completion import Target

_MODES = {ToolMode.AUTO: "AUTO", ToolMode.NONE: "NONE", ToolMode.REQUIRED: "ANY", ToolMode.NAMED: "ANY"}


def write_tools(request: ChatRequest, target: Target) -> dict[str, Any]:
    """Return `tools` and `toolConfig` as far as they are needed.

    A forced call always keeps to its schema; a call that is left to the model does with `VALIDATED`, where it can.
    """
    if not request.tools:
        request.params.flag("parallel_tool_calls")  # says nothing without any
        return {}
    written: dict[str, Any] = {"tools": [{"functionDeclarations": _declarations(request.tools)}]}
    choice = request.tool_choice
    mode = _MODES[choice.mode] if choice else "AUTO"
    is_loose = mode == "AUTO" and any(tool.strict for tool in request.tools)
    if is_loose and ModelTrait.STRICT_TOOLS in target.model_traits:
        mode, is_loose = "VALIDATED", False
    calling: dict[str, Any] = {"mode": mode}
    if choice and choice.mode is ToolMode.NAMED:
        calling["allowedFunctionNames"] = [choice.name]
    if choice or mode != "AUTO":
        written["toolConfig"] = {"functionCallingConfig": calling}
    if is_loose:
        request.params.leave(STRICT_TOOLS, True)
    return written


def _declarations(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    declared: list[dict[str, Any]] = []
    for tool in tools:
        declaration: dict[str, Any] = {"name": tool.name}
        if tool.description:
            declaration["description"] = tool.description
        if tool.parameters:
            declaration["parametersJsonSchema"] = tool.parameters
        declared.append(declaration)
    return declared
