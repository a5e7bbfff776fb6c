"""The native tongue: the pieces of OpenAI-shaped requests that faces read their own requests into."""

from collections.abc import Mapping
from typing import Any

from providers.simulator.refusals import bad_request

Json = dict[str, Any]


def user(texts: list[str], others: int = 0) -> Json:
    """Return a user message of some texts and some parts that are not text (images, documents, sounds)."""
    parts: list[Json] = [{"type": "text", "text": text} for text in texts]
    return {"role": "user", "content": [*parts, *({"type": "file"} for _ in range(others))]}


def assistant(text: str, calls: list[Json]) -> Json:
    """Return an assistant message of a text, tool calls, or both."""
    return {"role": "assistant", "content": text or None, **({"tool_calls": calls} if calls else {})}


def call(call_id: str, name: str, arguments: str) -> Json:
    """Return a tool call; `arguments` is JSON text."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(call_id: str, text: str) -> Json:
    """Return a tool's result."""
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def tool(name: str, description: object, parameters: object) -> Json:
    """Return a function on offer; `parameters` is its JSON schema."""
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def schema_format(schema: object) -> Json:
    """Return the `response_format` that holds the answer to a JSON schema; None asks for any object."""
    if schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def forced(name: str) -> Json:
    """Return the `tool_choice` that forces one function."""
    return {"type": "function", "function": {"name": name}}


def objects(value: object, complaint: str) -> list[Json]:
    """Return a list of JSON objects; raises Refused (400) for anything else."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise bad_request(complaint)
    return value


def object_of(value: object, complaint: str) -> Json:
    """Return a JSON object; raises Refused (400) for anything else."""
    if not isinstance(value, dict):
        raise bad_request(complaint)
    return value


def text_of(value: object, complaint: str) -> str:
    """Return a non-empty text; raises Refused (400) for anything else."""
    if not isinstance(value, str) or not value:
        raise bad_request(complaint)
    return value


def require(condition: object, complaint: str) -> None:
    """Refuse the request (400) unless the condition holds."""
    if not condition:
        raise bad_request(complaint)


def unknown(body: Mapping[str, object], known: frozenset[str]) -> str | None:
    """Return the first field that is not among those known, None if all are."""
    return next((name for name in body if name not in known), None)
