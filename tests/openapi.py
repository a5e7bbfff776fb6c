"""The OpenAPI document as the tests read it: its operations, paths with values filled in, bodies that fit or do not."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from api.openapi.document import document_of

JSON = "application/json"
METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options", "trace"})


@dataclass(frozen=True, slots=True)
class Documented:
    """One operation of the document."""

    method: str
    path: str
    about: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_open(self) -> bool:
        """Whether it needs no key."""
        return self.about.get("security") == []

    @property
    def names(self) -> list[str]:
        """The names in its path."""
        return re.findall(r"{(\w+)}", self.path)

    def queries(self) -> dict[str, Any]:
        """Its query parameters with their schemas."""
        found = (each for each in self.about.get("parameters", ()) if each.get("in") == "query")
        return {each["name"]: each["schema"] for each in found}

    def takes_header(self, name: str) -> bool:
        """Whether a request header of ours means something to it."""
        return any(each.get("$ref", "").endswith(f"/{name}") for each in self.about.get("parameters", ()))

    def body_schema(self, document: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The schema of its JSON body; None where it takes none."""
        content = self.about.get("requestBody", {}).get("content", {})
        return resolve(document, content[JSON]["schema"]) if JSON in content else None

    def answer_name(self) -> str | None:
        """The name of the schema of its usual answer."""
        usual = next(answer for status, answer in self.about["responses"].items() if status < "300")
        reference: str | None = usual["content"].get(JSON, {}).get("schema", {}).get("$ref")
        return reference and reference.rpartition("/")[2]

    def filled(self, values: Mapping[str, str] | None = None) -> str:
        """Its path with these values, and with `x` for the others."""
        return re.sub(r"{(\w+)}", lambda found: (values or {}).get(found[1], "x"), self.path)


def operations(document: Mapping[str, Any]) -> list[Documented]:
    """All of them, in the document's order."""
    return [
        Documented(method.upper(), path, about)
        for path, methods in document["paths"].items()
        for method, about in methods.items()
        if method in METHODS
    ]


def operations_of(app: FastAPI) -> list[Documented]:
    """All operations of an application."""
    return operations(document_of(app))


def resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a `$ref`."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def problems(document: Mapping[str, Any], schema: Mapping[str, Any], value: Any, at: str = "") -> Iterator[str]:
    """What is wrong with a value: the words of JSON Schema that the document uses, and no more."""
    schema = resolve(document, schema)
    for each in schema.get("allOf", ()):
        yield from problems(document, each, value, at)
    if "anyOf" in schema and all(list(problems(document, each, value, at)) for each in schema["anyOf"]):
        yield f"{at}: {value!r} is nothing of {schema['anyOf']}"
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    kinds = schema.get("type", [])
    if kinds and not any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        yield f"{at}: {value!r} is not {kinds}"
    if isinstance(value, dict):
        yield from (f"{at}: no {name}" for name in schema.get("required", ()) if name not in value)
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield from problems(document, inner, value[name], f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from problems(document, schema["items"], item, f"{at}[{index}]")


_KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "object": (dict,), "array": (list,), "integer": (int,), "number": (int, float),
    "boolean": (bool,), "null": (type(None),),
}  # fmt: skip


def _is(value: Any, kind: str) -> bool:
    return type(value) in _KINDS[kind]
