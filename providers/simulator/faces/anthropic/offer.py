"""The offer of tools in a Messages API request, and the choice among them."""

import re
from typing import Any, Final

from providers.simulator.faces import native
from providers.simulator.faces.native import require

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_FIELDS: Final = frozenset(
    {
        "name",
        "description",
        "input_schema",
        "type",
        "strict",
        "cache_control",
        "input_examples",
        "eager_input_streaming",
    }
)


def read_tools(tools: object) -> list[dict[str, Any]]:
    """Return the tools as OpenAI has them; raises Refused (400)."""
    if tools is None:
        return []
    offered = native.objects(tools, "tools: Input should be a valid list")
    return [_tool(tool, f"tools.{number}.custom") for number, tool in enumerate(offered)]


def read_choice(choice: object, *, thinks: bool) -> dict[str, Any]:
    """Return `tool_choice` and `parallel_tool_calls` as OpenAI has them; raises Refused (400)."""
    if choice is None:
        return {}
    rule = native.object_of(choice, "tool_choice: Input should be a valid dictionary")
    kind = rule.get("type")
    words: dict[object, object] = {"auto": "auto", "any": "required", "none": "none"}
    wanted = native.forced(rule.get("name", "")) if kind == "tool" else words.get(kind)
    require(wanted, "tool_choice: Input tag does not match any of the expected tags: 'auto', 'any', 'tool', 'none'")
    forces = kind in ("any", "tool")
    require(not (thinks and forces), "Thinking may not be enabled when tool_choice forces tool use.")
    return {"tool_choice": wanted, "parallel_tool_calls": rule.get("disable_parallel_tool_use") is not True}


def _tool(tool: dict[str, Any], where: str) -> dict[str, Any]:
    extra = native.unknown(tool, _FIELDS)
    require(extra is None, f"{where}.{extra}: Extra inputs are not permitted")
    name = native.text_of(tool.get("name"), f"{where}.name: Field required")
    schema = native.object_of(tool.get("input_schema"), f"{where}.input_schema: Field required")
    require(_NAME.fullmatch(name), f"{where}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    require("type" in schema, f"{where}.input_schema.type: Field required")
    require(schema["type"] == "object", f"{where}.input_schema.type: Input should be 'object'")
    return native.tool(name, tool.get("description"), schema)
