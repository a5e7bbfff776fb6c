"""The reading of a Messages API request: its fields, as strictly as the provider checks them."""

from dataclasses import replace
from typing import Any, Final

from providers.simulator.chat import ChatRequest, read_chat
from providers.simulator.faces import native
from providers.simulator.faces.anthropic.offer import read_choice, read_tools
from providers.simulator.faces.anthropic.turns import read_turns, system_text
from providers.simulator.faces.native import require

_FIELDS: Final = frozenset(
    {
        "model", "max_tokens", "messages", "cache_control", "container", "context_management", "inference_geo",
        "mcp_servers", "metadata", "output_config", "service_tier", "speed", "stop_sequences", "stream", "system",
        "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p",
    }
)  # fmt: skip
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_NOT_IN_SCHEMAS: Final = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
)
_LEAST_BUDGET: Final = 1_024


def read_messages(body: dict[str, Any]) -> ChatRequest:
    """Check a body and read it; raises Refused (400) in the provider's words."""
    extra = native.unknown(body, _FIELDS)
    require(extra is None, f"{extra}: Extra inputs are not permitted")
    require(body.get("max_tokens") is not None, "max_tokens: Field required")
    limit: Any = body["max_tokens"]
    require(isinstance(limit, int) and limit is not True and limit >= 1, "max_tokens: Input should be at least 1")
    _check_sampling(body)
    tools = read_tools(body.get("tools"))
    thinks = _thinks(body, limit)
    system = system_text(body.get("system"))
    messages = read_turns(body.get("messages"), thinks=thinks and body["thinking"]["type"] == "enabled")
    native_body: dict[str, Any] = {
        "model": body["model"],
        "messages": [*([{"role": "system", "content": system}] if system else []), *messages],
        "max_tokens": limit,
        "stop": _stops(body.get("stop_sequences")),
        "stream": body.get("stream"),
        "response_format": _format(body.get("output_config")),
        **({"tools": tools, **read_choice(body.get("tool_choice"), thinks=thinks)} if tools else {}),
    }
    require(tools or not body.get("tool_choice"), "tool_choice may only be specified while providing tools")
    return replace(read_chat(native_body), thinks=thinks)


def _check_sampling(body: dict[str, Any]) -> None:
    for name in ("temperature", "top_p"):
        value = body.get(name)
        require(value is None or 0 <= value <= 1, f"{name}: range: 0..1")
    metadata = body.get("metadata") or {}
    extra = native.unknown(metadata, frozenset({"user_id"}))
    require(extra is None, f"metadata.{extra}: Extra inputs are not permitted")
    tier = body.get("service_tier")
    require(tier in (None, "auto", "standard_only"), "service_tier: Input should be 'auto' or 'standard_only'")


def _stops(stops: object) -> list[str]:
    for stop in stops if isinstance(stops, list) else []:
        blank = not isinstance(stop, str) or not stop.strip()
        require(not blank, "stop_sequences: each stop sequence must contain non-whitespace")
    return stops[:4] if isinstance(stops, list) else []


def _thinks(body: dict[str, Any], max_tokens: int) -> bool:
    thinking = body.get("thinking")
    if thinking is None:
        return False
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        require(isinstance(budget, int), "thinking.enabled.budget_tokens: Field required")
        low = f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_LEAST_BUDGET}"
        require(budget >= _LEAST_BUDGET, low)
        require(max_tokens > budget, "`max_tokens` must be greater than `thinking.budget_tokens`.")
        require(body.get("temperature") in (None, 1), "`temperature` may only be set to 1 when thinking is enabled.")
    tags = "thinking: Input tag does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'"
    require(kind in ("adaptive", "disabled", "enabled"), tags)
    return kind != "disabled"


def _format(config: object) -> dict[str, Any] | None:
    if not isinstance(config, dict):
        return None
    require(config.get("effort") in (None, *_EFFORTS), "output_config.effort: Input should be one of the known efforts")
    form = config.get("format")
    if form is None:
        return None
    complaint = "output_config.format: a format of type 'json_schema' with a schema is expected"
    require(isinstance(form, dict) and form.get("type") == "json_schema", complaint)
    require(isinstance(form.get("schema"), dict), complaint)
    _check_schema(form["schema"])
    return native.schema_format(form["schema"])


def _check_schema(schema: object) -> None:
    """Refuse a schema with bounds on values, or with an object that does not rule out other properties."""
    if isinstance(schema, list):
        for one in schema:
            _check_schema(one)
    if not isinstance(schema, dict):
        return
    kind = schema.get("type")
    if isinstance(kind, str):
        closed = kind != "object" or schema.get("additionalProperties") is False
        must = "'additionalProperties' must be explicitly set to false"
        require(closed, f"output_config.format.schema: For 'object' type, {must}")
        bound = next((name for name in _NOT_IN_SCHEMAS if name in schema), None)
        require(bound is None, f"output_config.format.schema: For '{kind}' type, property '{bound}' is not supported")
    for value in schema.values():
        _check_schema(value)
