"""Tools, the choice among them and the wish for JSON, in the Messages API's words."""

from typing import Any

import orjson
import pytest
from anthropic.lib._parse._transform import transform_schema

from providers.catalogue.model_trait import ModelTrait
from providers.completion import ParamPolicy
from providers.dialects.closed_schema import closed_schema
from tests.dialects.anthropic.messages_api import body_of, claude, refused, said, written

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED_CITY = {**CITY, "additionalProperties": False}
EMPTY = {"type": "object", "properties": {}}
MARK = {"type": "ephemeral"}


def tool(name: str = "weather", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **fields}}


TOOLS: dict[str, tuple[dict[str, Any], tuple[ModelTrait, ...], dict[str, Any], tuple[str, ...]]] = {
    "whole": (
        tool(description="Tell.", parameters=CITY),
        (),
        {"name": "weather", "description": "Tell.", "input_schema": CITY},
        (),
    ),
    "without parameters": (tool(), (), {"name": "weather", "input_schema": EMPTY}, ()),
    "with an empty schema": (tool(parameters={}), (), {"name": "weather", "input_schema": EMPTY}, ()),
    "with a mark for the cache": (
        {**tool(), "cache_control": MARK},
        (),
        {"name": "weather", "input_schema": EMPTY, "cache_control": MARK},
        (),
    ),
    "strict": (
        tool(parameters=CITY, strict=True),
        (ModelTrait.STRICT_TOOLS,),
        {"name": "weather", "input_schema": CLOSED_CITY, "strict": True},
        (),
    ),
    "strict, of a model that cannot be": (
        tool(parameters=CITY, strict=True),
        (),
        {"name": "weather", "input_schema": CITY},
        ("tools[].function.strict",),
    ),
    "strict, with an open schema": (
        tool(parameters={**CITY, "additionalProperties": True}, strict=True),
        (ModelTrait.STRICT_TOOLS,),
        {"name": "weather", "input_schema": {**CITY, "additionalProperties": True}},
        ("tools[].function.strict",),
    ),
    "not strict": (
        tool(parameters=CITY, strict=False),
        (ModelTrait.STRICT_TOOLS,),
        {"name": "weather", "input_schema": CITY},
        (),
    ),
}


@pytest.mark.parametrize(("asked", "traits", "sent", "noted"), TOOLS.values(), ids=TOOLS)
def test_tools_are_translated(
    asked: dict[str, Any], traits: tuple[ModelTrait, ...], sent: dict[str, Any], noted: tuple[str, ...]
) -> None:
    request = written(said("Hi", tools=[asked]), claude(*traits))
    assert orjson.loads(request.content)["tools"] == [sent]
    assert request.dropped_params == noted


@pytest.mark.parametrize("name", ["a.b", "ä", "a b", "n" * 129])
def test_a_name_that_does_not_fit_is_refused(name: str) -> None:
    failure = refused(said("Hi", tools=[tool(), tool(name)]))
    assert failure.param == "tools[1]"
    assert "letters, digits" in failure.message


ONLY_ONE = {"disable_parallel_tool_use": True}
NAMED = {"type": "function", "function": {"name": "weather"}}
CHOICES: dict[str, tuple[dict[str, Any], Any]] = {
    "nothing said": ({}, None),
    "auto": ({"tool_choice": "auto"}, {"type": "auto"}),
    "none": ({"tool_choice": "none"}, {"type": "none"}),
    "required": ({"tool_choice": "required"}, {"type": "any"}),
    "named": ({"tool_choice": NAMED}, {"type": "tool", "name": "weather"}),
    "one at a time": ({"parallel_tool_calls": False}, {"type": "auto", **ONLY_ONE}),
    "exactly one": ({"parallel_tool_calls": False, "tool_choice": "required"}, {"type": "any", **ONLY_ONE}),
    "none at a time": ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
    "several at a time": ({"parallel_tool_calls": True}, None),
}


@pytest.mark.parametrize(("fields", "choice"), CHOICES.values(), ids=CHOICES)
def test_the_choice_is_translated(fields: dict[str, Any], choice: Any) -> None:
    assert body_of(said("Hi", tools=[tool()], **fields)).get("tool_choice") == choice


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_model_that_cannot_be_forced_is_not(choice: Any) -> None:
    request = said("Hi", tools=[tool()], tool_choice=choice)
    assert refused(request, claude(ModelTrait.NO_FORCED_TOOLS)).param == "tool_choice"
    sent = written(request, claude(ModelTrait.NO_FORCED_TOOLS, params=ParamPolicy.DROP))
    assert "tool_choice" not in orjson.loads(sent.content)
    assert sent.dropped_params == ("tool_choice",)


def test_a_choice_without_tools_is_not_sent() -> None:
    body = body_of(said("Hi", tools=[], tool_choice="none", parallel_tool_calls=False))
    assert not {"tools", "tool_choice"} & body.keys()


def test_tools_that_were_called_before_are_declared_and_not_called_again() -> None:
    calls = [{"id": f"c{at}", "function": {"name": name, "arguments": ""}} for at, name in enumerate("ggf")]
    results = [{"role": "tool", "tool_call_id": f"c{at}", "content": "1"} for at in range(3)]
    body = body_of(said("Hi", {"role": "assistant", "tool_calls": calls}, *results))
    assert body["tools"] == [{"name": "g", "input_schema": EMPTY}, {"name": "f", "input_schema": EMPTY}]
    assert body["tool_choice"] == {"type": "none"}


def schema_wish(schema: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "city", "schema": schema, **fields}}


OPEN = {"type": "object", "additionalProperties": {"type": "string"}}


def test_a_model_that_can_be_held_to_a_schema_is() -> None:
    sent = written(said("Hi", response_format=schema_wish(CITY), tools=[tool()]), claude(ModelTrait.JSON_SCHEMA))
    body = orjson.loads(sent.content)
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED_CITY}}
    assert [each["name"] for each in body["tools"]] == ["weather"]
    assert sent.wish.json_tool is None


@pytest.mark.parametrize(
    ("wish", "traits", "schema"),
    [
        (schema_wish(CITY, description="A city"), (), CITY),
        (schema_wish(OPEN), (ModelTrait.JSON_SCHEMA,), {**OPEN, "properties": {}}),
        ({"type": "json_object"}, (ModelTrait.JSON_SCHEMA,), EMPTY),
    ],
    ids=["older model", "open schema", "any object"],
)
def test_otherwise_one_forced_tool_takes_the_answer(wish: Any, traits: tuple[ModelTrait, ...], schema: Any) -> None:
    sent = written(said("Hi", response_format=wish), claude(*traits))
    body = orjson.loads(sent.content)
    assert [each["input_schema"] for each in body["tools"]] == [schema]
    assert body["tool_choice"] == {"type": "tool", "name": body["tools"][0]["name"], **ONLY_ONE}
    assert sent.wish.json_tool == body["tools"][0]["name"]


def test_the_forced_tool_excludes_thinking() -> None:
    request = said("Hi", response_format=schema_wish(CITY), reasoning_effort="high")
    sent = written(request, claude(ModelTrait.THINKING_BUDGET))
    assert "thinking" not in orjson.loads(sent.content)
    assert sent.dropped_params == ("reasoning_effort",)


@pytest.mark.parametrize(
    ("fields", "traits"),
    [({"tools": [tool()]}, ()), ({}, (ModelTrait.NO_FORCED_TOOLS,))],
    ids=["beside tools", "unforcible"],
)
def test_where_no_tool_can_take_an_object_an_instruction_asks_for_it(
    fields: dict[str, Any], traits: tuple[ModelTrait, ...]
) -> None:
    rules = {"role": "system", "content": "Be brief."}
    sent = written(said(rules, "Hi", response_format={"type": "json_object"}, **fields), claude(*traits))
    first, last = orjson.loads(sent.content)["system"]
    assert first["text"] == "Be brief."
    assert "one JSON object and nothing else" in last["text"]
    assert sent.wish.json_tool is None


@pytest.mark.parametrize(
    ("fields", "traits"),
    [({"tools": [tool()]}, ()), ({}, (ModelTrait.NO_FORCED_TOOLS,))],
    ids=["beside tools", "unforcible"],
)
def test_where_nothing_holds_the_model_to_a_schema_the_wish_is_refused(
    fields: dict[str, Any], traits: tuple[ModelTrait, ...]
) -> None:
    assert refused(said("Hi", response_format=schema_wish(OPEN), **fields), claude(*traits)).param == "response_format"


NESTED = {
    "$defs": {"street": {"type": "object", "properties": {"no": {"type": "integer", "minimum": 1}}}},
    "type": "object",
    "properties": {
        "streets": {"type": "array", "items": {"$ref": "#/$defs/street"}, "minItems": 3, "description": "All"},
        "zip": {"type": "string", "pattern": "^[0-9]{5}$"},
        "mail": {"type": "string", "format": "email"},
        "size": {"oneOf": [{"type": "number"}, {"type": "null"}]},
        "kind": {"enum": ["a", "b"]},
    },
    "required": ["zip"],
}


def bare(schema: Any) -> Any:
    """A schema without its descriptions."""
    if isinstance(schema, list):
        return [bare(item) for item in schema]
    return (
        {name: bare(value) for name, value in schema.items() if name != "description"}
        if isinstance(schema, dict)
        else schema
    )


def test_a_schema_is_closed_as_the_vendors_own_client_does_it() -> None:
    closed = closed_schema(NESTED)
    assert bare(closed) == bare(transform_schema(NESTED))
    assert closed is not None
    properties = closed["properties"]
    assert properties["zip"]["description"] == 'Must satisfy {"pattern":"^[0-9]{5}$"}'
    assert properties["streets"]["description"] == 'All\n\nMust satisfy {"minItems":3}'


@pytest.mark.parametrize(
    "place", [{"type": "object"}, OPEN, {"type": ["object", "null"], "additionalProperties": True}]
)
def test_a_schema_that_is_open_anywhere_cannot_be_closed(place: dict[str, Any]) -> None:
    assert closed_schema({"type": "object", "properties": {"a": {"type": "array", "items": place}}}) is None


def test_closing_leaves_the_callers_schema_as_it_is() -> None:
    before = orjson.dumps(NESTED)
    closed_schema(NESTED)
    assert orjson.dumps(NESTED) == before


def test_a_tool_that_is_called_like_ours_is_the_callers_own() -> None:
    body = body_of(said("Hi", tools=[tool("json_answer")]))
    assert "tool_choice" not in body


def test_a_keyword_with_a_value_of_another_kind_moves_into_the_description() -> None:
    closed = closed_schema({"type": "string", "format": ["email"], "minItems": {}})
    assert closed is not None
    assert closed.keys() == {"type", "description"}
