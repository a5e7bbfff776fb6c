"""The specimen of a JSON schema: a small value that satisfies it."""

import math
from collections.abc import Mapping
from typing import Any, Final

_DEPTH_LIMIT: Final = 12
_FORMATS: Final = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.org",
}


def specimen(schema: object, text: str) -> Any:
    """Return a value that satisfies a simple schema; its free strings are cut from `text`.

    Objects get their required properties only and arrays their fewest items. Knows type, enum, const, default,
    anyOf, oneOf, allOf, local $ref, the bounds and the common formats; a pattern is not looked at, and a schema that
    needs itself without end gives null at a depth of 12.
    """
    return _value(schema, schema, text, 0)


def _value(schema: object, root: object, text: str, depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEPTH_LIMIT:
        return None
    schema = _resolve(schema, root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    match _kind(schema):
        case "object":
            return _object(schema, root, text, depth)
        case "array":
            item = schema.get("items", {"type": "string"})
            return [_value(item, root, text, depth + 1) for _ in range(min(_whole(schema, "minItems"), 64))]
        case "string":
            return _string(schema, text)
        case "integer" | "number" as kind:
            return _number(schema, whole=kind == "integer")
        case "boolean":
            return True
    return None


def _resolve(schema: dict[str, Any], root: object) -> dict[str, Any]:
    for _ in range(_DEPTH_LIMIT):
        if isinstance(schema.get("$ref"), str):
            schema = _pointed(schema["$ref"], root)
        elif choices := schema.get("anyOf") or schema.get("oneOf"):
            rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
            schema = {**rest, **_first_dict(choices)}
        elif parts := schema.get("allOf"):
            schema = _merged({key: value for key, value in schema.items() if key != "allOf"}, parts, root)
        else:
            break
    return schema


def _pointed(reference: str, root: object) -> dict[str, Any]:
    target = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
        name = step.replace("~1", "/").replace("~0", "~")
        target = target.get(name) if isinstance(target, dict) else None
    return target if isinstance(target, dict) else {}


def _first_dict(choices: object) -> dict[str, Any]:
    return next((one for one in choices if isinstance(one, dict)), {}) if isinstance(choices, list) else {}


def _merged(schema: dict[str, Any], parts: object, root: object) -> dict[str, Any]:
    for part in parts if isinstance(parts, list) else ():
        resolved = _resolve(part, root) if isinstance(part, dict) else {}
        properties = {**schema.get("properties", {}), **resolved.get("properties", {})}
        required = [*schema.get("required", []), *resolved.get("required", [])]
        schema = {**schema, **resolved, "properties": properties, "required": required}
    return schema


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _object(schema: Mapping[str, Any], root: object, text: str, depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    names = required if isinstance(required, list) else []
    return {name: _value(known.get(name, {"type": "string"}), root, text, depth + 1) for name in names}


def _string(schema: Mapping[str, Any], text: str) -> str:
    form = schema.get("format")
    if isinstance(form, str) and form in _FORMATS:
        return _FORMATS[form]
    shortest = min(_whole(schema, "minLength"), 10_000)
    longest = _whole(schema, "maxLength") if "maxLength" in schema else max(40, shortest)
    return (text or "text")[:longest].ljust(shortest, "x")


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    low, high = _bound(schema, "minimum", "exclusiveMinimum"), _bound(schema, "maximum", "exclusiveMaximum")
    if whole:
        return _whole_number(schema, low, high)
    if low is not None and high is not None:
        return (low + high) / 2
    if low is not None:
        return max(0, low + 1)
    return 0 if high is None else min(0, high - 1)


def _whole_number(schema: Mapping[str, Any], low: int | float | None, high: int | float | None) -> int:
    first = None if low is None else math.floor(low) + 1 if "exclusiveMinimum" in schema else math.ceil(low)
    last = None if high is None else math.ceil(high) - 1 if "exclusiveMaximum" in schema else math.floor(high)
    value = max(0, first) if first is not None else min(0, last or 0)
    step = schema.get("multipleOf")
    if isinstance(step, int) and not isinstance(step, bool) and step > 0:
        value = -(-value // step) * step
    return value


def _bound(schema: Mapping[str, Any], *names: str) -> int | float | None:
    return next((schema[name] for name in names if _is_number(schema.get(name))), None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(schema: Mapping[str, Any], name: str) -> int:
    value = schema.get(name, 0)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
