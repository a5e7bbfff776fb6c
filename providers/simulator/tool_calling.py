"""The tool calling: which of the functions offered an answer calls.

Called are the function that is forced, or all that the last user message names (one, where calls at once are not
wanted); failing these the first one offered, if a call is required or the message speaks of a "tool". A conversation
that ends with a tool's result is answered in words.
"""

from dataclasses import dataclass
from typing import Any

from providers.simulator.refusals import bad_request


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the answer shall call."""

    name: str
    parameters: object
    """JSON schema of its arguments."""


def tools_to_call(body: dict[str, Any], messages: list[dict[str, Any]], question: str) -> tuple[Tool, ...]:
    """Return the functions to call, in the order in which they are offered; raises Refused (400)."""
    offered = [_offered(tool) for tool in body["tools"]] if isinstance(body["tools"], list) else []
    if not offered or None in offered:
        raise bad_request("'tools' must be a list of functions with a name.", "tools")
    tools = {tool.name: tool for tool in offered if tool}
    choice = body.get("tool_choice", "auto")
    if isinstance(choice, dict):
        return (_forced(choice, tools),)
    if choice == "none" or messages[-1]["role"] == "tool":
        return ()
    asked = question.lower()
    named = tuple(tool for tool in tools.values() if _spoken(tool.name) in asked or tool.name.lower() in asked)
    if not named and (choice == "required" or "tool" in asked):
        named = tuple(tools.values())[:1]
    return named[:1] if body.get("parallel_tool_calls") is False else named


def _forced(choice: dict[str, Any], tools: dict[str, Tool]) -> Tool:
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if name not in tools:
        raise bad_request(f"'tool_choice' names the function {name!r}, which is not in 'tools'.", "tool_choice")
    return tools[name]


def _spoken(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").lower()


def _offered(tool: object) -> Tool | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not name:
        return None
    return Tool(name, function.get("parameters") or {"type": "object"})
