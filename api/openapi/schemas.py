"""The words of schemas: short names for the JSON Schemas that requests and answers are made of. Values only."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
YES_OR_NO: Schema = {"type": "boolean"}
MAP: Schema = {"type": "object", "additionalProperties": True}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
SECONDS: Schema = {"type": "integer", "description": "Unix time in seconds."}
DOLLARS: Schema = {"type": "string", "description": "US dollars as a decimal string, exact.", "examples": ["0.00021"]}


def ref(name: str) -> Schema:
    """Point to a schema of `components`."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    if "type" in schema and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(*words: str) -> Schema:
    """One word of a closed set."""
    return {"type": "string", "enum": list(words)}


def list_of(schema: Schema) -> Schema:
    """An array."""
    return {"type": "array", "items": schema}


def fields(**named: Schema) -> Schema:
    """An object with at least these fields, all of them always there."""
    return {"type": "object", "required": list(named), "properties": named}


def options(**named: Schema) -> Schema:
    """An object whose fields may all be left out."""
    return {"type": "object", "properties": named}


def thing(kind: str, /, **named: Schema) -> Schema:
    """An object of the API, told by its field `object`."""
    return fields(object={"const": kind}, **named)


def page(of: str) -> Schema:
    """One page of a list."""
    return thing(
        "list", data=list_of(ref(of)), first_id=or_null(TEXT), last_id=or_null(TEXT), has_more=YES_OR_NO
    )  # fmt: skip
