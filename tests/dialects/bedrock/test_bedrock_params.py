"""The wishes beside the messages, as the bedrock dialect tells them to each family of models."""

from typing import Any

import pytest

from providers.catalogue.model_trait import ModelTrait
from providers.completion import ParamPolicy
from providers.dialects import WireRequest
from providers.dialects.json_wish import INSTRUCTION
from tests.dialects.bedrock.service_model import judged, refused, sent, written

WEATHER = {"type": "function", "function": {"name": "weather", "description": "Tells it", "parameters": {}}}
ROUND: list[dict[str, Any]] = [
    {"role": "user", "content": "How is it?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "Rain"},
]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ({"type": "function", "function": {"name": "weather"}}, {"tool": {"name": "weather"}}),
    ],
)
def test_a_choice_among_tools_is_told_to_models_that_can_be_told(choice: Any, expected: dict[str, Any]) -> None:
    request = {"tools": [WEATHER], "tool_choice": choice}
    assert sent(request, ModelTrait.TOOL_CHOICE)["toolConfig"]["toolChoice"] == expected
    if choice == "auto":
        assert sent(request)["toolConfig"]["toolChoice"] == expected
        return
    assert refused(request).param == "tool_choice"
    assert refused(request, ModelTrait.TOOL_CHOICE, ModelTrait.NO_FORCED_TOOLS).param == "tool_choice"
    dropped = written(request, params=ParamPolicy.DROP)
    assert isinstance(dropped, WireRequest)
    assert dropped.dropped_params == ("tool_choice",)
    assert "toolChoice" not in judged(dropped)["toolConfig"]


def test_one_tool_at_a_time_is_told_to_models_that_can_be_told() -> None:
    request = {"tools": [WEATHER], "parallel_tool_calls": False}
    traits = (ModelTrait.TOOL_CHOICE, ModelTrait.ONE_TOOL_AT_A_TIME)
    told = sent({**request, "tool_choice": "required"}, *traits)
    assert told["additionalModelRequestFields"] == {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}}
    assert refused(request).param == "parallel_tool_calls"
    assert sent({"parallel_tool_calls": False}).keys() == {"messages"}
    assert sent({**request, "parallel_tool_calls": True}).keys() == {"messages", "toolConfig"}


def test_strict_tools_are_closed_where_the_model_takes_them_and_noted_elsewhere() -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "weather", "parameters": parameters, "strict": True}}
    spec = sent({"tools": [tool]}, ModelTrait.STRICT_TOOLS)["toolConfig"]["tools"][0]["toolSpec"]
    assert spec["strict"] is True
    assert spec["inputSchema"]["json"]["additionalProperties"] is False
    request = written({"tools": [tool]})
    assert isinstance(request, WireRequest)
    assert request.dropped_params == ("tools[].function.strict",)
    assert "strict" not in judged(request)["toolConfig"]["tools"][0]["toolSpec"]


def test_a_schema_is_sent_as_text_to_models_that_can_be_held_to_it_and_as_a_tool_to_others() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    wish = {"type": "json_schema", "json_schema": {"name": "place", "description": "A place", "schema": schema}}
    native = sent({"response_format": wish}, ModelTrait.JSON_SCHEMA)["outputConfig"]["textFormat"]
    assert native["type"] == "json_schema"
    assert native["structure"]["jsonSchema"]["name"] == "place"
    assert native["structure"]["jsonSchema"]["description"] == "A place"
    assert '"additionalProperties":false' in native["structure"]["jsonSchema"]["schema"]
    request = written({"response_format": wish, "parallel_tool_calls": False}, ModelTrait.TOOL_CHOICE)
    assert isinstance(request, WireRequest)
    assert request.wish.json_tool == "json_answer"
    config = judged(request)["toolConfig"]
    assert config["toolChoice"] == {"tool": {"name": "json_answer"}}
    assert config["tools"][0]["toolSpec"]["inputSchema"]["json"]["required"] == ["city"]
    assert refused({"response_format": wish}).param == "response_format"
    assert refused({"response_format": wish, "tools": [WEATHER]}, ModelTrait.TOOL_CHOICE).param == "response_format"


def test_any_json_object_is_a_tool_or_an_instruction() -> None:
    wish = {"response_format": {"type": "json_object"}}
    assert sent(wish, ModelTrait.TOOL_CHOICE)["toolConfig"]["toolChoice"] == {"tool": {"name": "json_answer"}}
    assert sent(wish)["system"] == [{"text": INSTRUCTION}]
    assert sent({**wish, "tools": [WEATHER]}, ModelTrait.TOOL_CHOICE)["system"] == [{"text": INSTRUCTION}]


@pytest.mark.parametrize(
    ("traits", "effort", "fields"),
    [
        ({"adaptive_thinking"}, "high", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ({"adaptive_thinking"}, "xhigh", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ({"adaptive_thinking"}, "none", {"thinking": {"type": "disabled"}}),
        ({"thinking_budget"}, "low", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        (
            {"thinking_budget", "effort"},
            "low",
            {"thinking": {"type": "enabled", "budget_tokens": 2048}, "output_config": {"effort": "low"}},
        ),
        ({"plain_effort"}, "minimal", {"reasoning_effort": "low"}),
        ({"plain_effort"}, "max", {"reasoning_effort": "high"}),
        ({"reasoning_config"}, "medium", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}),
        ({"reasoning_config"}, "none", {"reasoningConfig": {"type": "disabled"}}),
    ],
)
def test_effort_is_told_in_the_fields_of_the_models_family(traits: set[str], effort: str, fields: Any) -> None:
    body = sent({"reasoning_effort": effort}, *traits)
    assert body["additionalModelRequestFields"] == fields


def test_effort_that_no_field_tells_is_left_out_and_noted() -> None:
    for effort, traits in (("low", ()), ("none", ("plain_effort",))):
        request = written({"reasoning_effort": effort}, *traits)
        assert isinstance(request, WireRequest)
        assert request.dropped_params == ("reasoning_effort",)
        assert judged(request).keys() == {"messages"}
    assert refused({"reasoning_effort": "most"}).param == "reasoning_effort"


def test_thinking_and_sampling_exclude_each_other() -> None:
    request = written({"reasoning_effort": "low", "temperature": 0.5, "top_k": 3}, "thinking_budget", "top_k")
    assert isinstance(request, WireRequest)
    assert request.dropped_params == ("temperature", "top_k")
    assert "temperature" not in judged(request).get("inferenceConfig", {})
    both = sent({"reasoning_effort": "low", "temperature": 0.5}, "reasoning_config")
    assert both["inferenceConfig"] == {"temperature": 0.5}
    highest = written({"reasoning_effort": "high", "temperature": 0.5}, "reasoning_config")
    assert isinstance(highest, WireRequest)
    assert highest.dropped_params == ("temperature",)


def test_the_highest_configured_effort_gives_way_to_a_limit_of_tokens() -> None:
    body = sent({"reasoning_effort": "high", "max_tokens": 100}, "reasoning_config")
    assert body["additionalModelRequestFields"]["reasoningConfig"]["maxReasoningEffort"] == "medium"
    assert body["inferenceConfig"] == {"maxTokens": 100}


def test_a_budget_takes_at_most_half_of_the_limit() -> None:
    body = sent({"reasoning_effort": "high", "max_tokens": 6000}, "thinking_budget")
    assert body["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 3000
    assert body["inferenceConfig"]["maxTokens"] == 6000


def test_thinking_gives_way_to_a_forced_tool_and_to_a_round_begun_without_it() -> None:
    forced = written(
        {"reasoning_effort": "low", "tools": [WEATHER], "tool_choice": "required"}, "thinking_budget", "tool_choice"
    )
    begun = written({"reasoning_effort": "low", "messages": ROUND}, "thinking_budget")
    for request in (forced, begun):
        assert isinstance(request, WireRequest)
        assert request.dropped_params == ("reasoning_effort",)
        assert "additionalModelRequestFields" not in judged(request)
    thought = {**ROUND[1], "thinking_blocks": [{"type": "thinking", "thinking": "Hm", "signature": "s"}]}
    going_on = sent({"reasoning_effort": "low", "messages": [ROUND[0], thought, ROUND[2]]}, "thinking_budget")
    assert "thinking" in going_on["additionalModelRequestFields"]
    assert (
        "thinking"
        in sent({"reasoning_effort": "low", "messages": ROUND}, "adaptive_thinking")["additionalModelRequestFields"]
    )


def test_sampling_keeps_to_what_the_model_takes() -> None:
    asked = {"temperature": 1.8, "top_p": 0.9, "top_k": 5}
    assert sent(asked, "top_k") == {
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
        "inferenceConfig": {"temperature": 1, "topP": 0.9},
        "additionalModelRequestFields": {"top_k": 5},
    }
    assert sent(asked, "nested_top_k")["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 5}}
    one = written(asked, "one_sampling")
    none = written(asked, "no_sampling", "top_k")
    assert isinstance(one, WireRequest)
    assert isinstance(none, WireRequest)
    assert one.dropped_params == ("top_p", "top_k")
    assert none.dropped_params == ("temperature", "top_p", "top_k")


def test_account_fields_are_told_where_they_fit() -> None:
    body = sent({"metadata": {"team": "red", "run": "a/b=1"}, "service_tier": "flex", "user": "u"})
    assert body["requestMetadata"] == {"team": "red", "run": "a/b=1"}
    assert body["serviceTier"] == {"type": "flex"}
    for misfit in ({"team": "rød"}, {"team": 1}, {f"key{at}": "v" for at in range(17)}):
        request = written({"metadata": misfit})
        assert isinstance(request, WireRequest)
        assert request.dropped_params == ("metadata",)
        assert "requestMetadata" not in judged(request)
    assert "serviceTier" not in sent({"service_tier": "auto"})


def test_the_providers_own_fields_pass_as_they_are() -> None:
    guardrail = {"guardrailIdentifier": "abc123", "guardrailVersion": "1", "trace": "enabled"}
    fields = {"thinking": {"type": "enabled", "budget_tokens": 4000}, "anthropic_beta": ["x"]}
    body = sent(
        {"guardrailConfig": guardrail, "additionalModelRequestFields": fields, "reasoning_effort": "low"},
        "thinking_budget",
    )
    assert body["guardrailConfig"] == guardrail
    assert body["additionalModelRequestFields"] == fields
    assert refused({"additionalModelRequestFields": "x"}).param == "additionalModelRequestFields"


def test_several_choices_are_refused_or_dropped_by_the_rule() -> None:
    assert refused({"n": 2}).param == "n"
    request = written({"n": 2}, params=ParamPolicy.DROP)
    assert isinstance(request, WireRequest)
    assert request.dropped_params == ("n",)
    assert request.wish.choices == 1
