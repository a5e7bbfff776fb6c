"""A closed schema: a JSON Schema cut down to what the provider can hold its model to.

It takes a part of JSON Schema only, and every object must refuse properties that it does not list. What it does not
take (ranges, lengths, patterns ...) moves into the description, where the model at least reads it.
"""

from collections.abc import Mapping
from typing import Any

import orjson

_PLAIN = frozenset({"type", "enum", "const", "description", "title", "$ref", "required", "default"})
_LISTS = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_MAPS = frozenset({"$defs", "definitions", "properties"})
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"},
)
_SILENT = frozenset({"additionalProperties", "$schema", "$id", "strict"})


class _Open(Exception):
    """An object that is meant to have properties of any name."""


def closed_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the schema as the provider takes it, None where it has an object that is open on purpose."""
    try:
        return _closed(schema)
    except _Open:
        return None


def _closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    closed: dict[str, Any] = {}
    beyond: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _PLAIN or _is_kept(name, value):
            closed[name] = value
        elif name in _LISTS and type(value) is list:
            closed[_LISTS[name]] = [_inner(one) for one in value]
        elif name in _MAPS and type(value) is dict:
            closed[name] = {key: _inner(one) for key, one in value.items()}
        elif name == "items":
            closed[name] = _inner(value)
        elif name not in _SILENT:
            beyond[name] = value
    if _is_object(schema):
        if schema.get("additionalProperties") or "properties" not in schema:
            raise _Open
        closed["additionalProperties"] = False
    if beyond:
        rule = f"Must satisfy {orjson.dumps(beyond).decode()}"
        described = closed.get("description")
        closed["description"] = f"{described}\n\n{rule}" if described else rule
    return closed


def _is_kept(name: str, value: Any) -> bool:
    """Tell whether a keyword is taken with this value."""
    return (name == "format" and type(value) is str and value in _FORMATS) or (name == "minItems" and value in (0, 1))


def _inner(schema: Any) -> Any:
    return _closed(schema) if type(schema) is dict else schema


def _is_object(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (type(kind) is list and "object" in kind)
