"""Requests of the cohere dialect, held against the types of Cohere's own client."""

import inspect
from typing import Any

import cohere
import orjson
import pytest
from cohere.types import Thinking, ToolV2
from cohere.types.chat_message_v2 import ChatMessageV2
from cohere.types.response_format_v2 import JsonObjectResponseFormatV2
from cohere.v2.client import V2Client
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from providers.catalogue.model_trait import ModelTrait
from providers.completion import ParamPolicy
from providers.dialects import WireRequest
from providers.failure import ErrorClass, Failure
from tests.dialects.chat_requests import chat_requests
from tests.dialects.test_any_bytes import CALM
from tests.dialects.wire import KEY, encode

HI = [{"role": "user", "content": "hi"}]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
THINKS = frozenset({ModelTrait.THINKING_BUDGET})
MESSAGES = TypeAdapter(list[ChatMessageV2])


def wire(request: dict[str, Any], *, stream: bool = False, **changes: Any) -> Any:
    return encode({"model": "public", **request}, stream=stream, dialect="cohere", **changes)


def sent(request: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Encode a chat request that must be servable; return its body."""
    encoded = wire({"messages": HI, **request}, **changes)
    assert isinstance(encoded, WireRequest), encoded
    return checked(encoded)


def checked(encoded: WireRequest) -> dict[str, Any]:
    """Return the body of a chat request, held against the types and the fields of the vendor's own client."""
    body: dict[str, Any] = orjson.loads(encoded.content)
    known = {"stream", *inspect.signature(V2Client.chat).parameters}
    assert body.keys() <= known
    said = MESSAGES.validate_python(body["messages"])
    assert [message.role for message in said] == [message["role"] for message in body["messages"]]
    for tool in body.get("tools", ()):
        ToolV2.model_validate(tool)
    assert body.get("tool_choice") in (None, "REQUIRED", "NONE")
    if "thinking" in body:
        Thinking.model_validate(body["thinking"])
    if "response_format" in body:
        JsonObjectResponseFormatV2.model_validate(body["response_format"])
    return body


def refused(request: dict[str, Any], **changes: Any) -> Failure:
    outcome = wire({"messages": HI, **request}, **changes)
    assert isinstance(outcome, Failure), outcome
    assert outcome.error_class is ErrorClass.BAD_REQUEST
    return outcome


def dropped(request: dict[str, Any], **changes: Any) -> tuple[str, ...]:
    encoded = wire({"messages": HI, **request}, **changes)
    assert isinstance(encoded, WireRequest), encoded
    return encoded.dropped_params


def tool(name: str = "look", **changes: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}, **changes}}


def test_a_chat_has_its_path_and_the_key_its_header() -> None:
    encoded = wire({"messages": HI}, base_url="https://api.cohere.com/v2")
    assert encoded.url == "https://api.cohere.com/v2/chat"
    assert ("authorization", f"Bearer {KEY}") in encoded.headers


def test_a_plain_request_has_a_model_messages_and_says_whether_to_stream() -> None:
    assert sent({}) == {"model": "asked-model", "messages": HI, "stream": False}
    assert sent({}, stream=True)["stream"] is True


def test_instructions_of_both_roles_are_system_messages_wherever_they_stand() -> None:
    said = [{"role": "developer", "content": "a"}, *HI, {"role": "system", "content": [{"type": "text", "text": "b"}]}]
    assert [(each["role"], each["content"]) for each in sent({"messages": said})["messages"]] == [
        ("system", "a"),
        ("user", "hi"),
        ("system", "b"),
    ]


def test_images_are_sent_by_address_and_as_data() -> None:
    parts = [
        {"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://acme.test/a.png"}},
    ]
    assert sent({"messages": [{"role": "user", "content": parts}]})["messages"][0]["content"] == parts


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "audio or files"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "audio or files"),
        ({"type": "image_url", "image_url": {"url": "gs://bucket/a.png"}}, "https"),
    ],
)
def test_parts_without_an_expression_are_refused_by_their_place(part: dict[str, Any], named: str) -> None:
    failure = refused({"messages": [*HI, {"role": "user", "content": [{"type": "text", "text": "x"}, part]}]})
    assert failure.param == "messages[1].content[1]"
    assert failure.inexpressible
    assert named in failure.message


def conversation(**changes: Any) -> list[dict[str, Any]]:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    return [
        *HI,
        {"role": "assistant", "content": None, "tool_calls": [call], **changes},
        {
            "role": "tool",
            "tool_call_id": "c1",
            "content": [{"type": "text", "text": "4"}, {"type": "text", "text": "2"}],
        },
    ]


def test_a_round_of_tools_goes_back_with_its_plan() -> None:
    _, asked, result = sent({"messages": conversation(reasoning_content="I will look."), "tools": [tool()]})["messages"]
    assert asked["tool_plan"] == "I will look."
    assert asked["tool_calls"][0] == {
        "id": "c1",
        "type": "function",
        "function": {"name": "look", "arguments": '{"at": 1}'},
    }
    assert "content" not in asked
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "42"}


def test_a_model_that_thinks_gets_its_thinking_back() -> None:
    messages = conversation(reasoning_content="Hm.", content="Let me see.")
    asked = sent({"messages": messages, "tools": [tool()]}, model_traits=THINKS)["messages"][1]
    assert asked["content"] == [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Let me see."}]
    assert "tool_plan" not in asked


def test_an_earlier_answer_of_nothing_is_an_empty_text_and_its_reasoning_stays_behind() -> None:
    said = [*HI, {"role": "assistant", "content": None, "reasoning_content": "Hm."}, *HI]
    assert sent({"messages": said})["messages"][1] == {"role": "assistant", "content": ""}


def test_media_in_the_result_of_a_tool_are_refused() -> None:
    messages = conversation()
    messages[-1]["content"] = [{"type": "image_url", "image_url": {"url": PIXEL}}]
    assert refused({"messages": messages}).param == "messages[2].content"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("auto", None), ("none", "NONE"), ("required", "REQUIRED")],
)
def test_the_choice_of_tools_is_said_in_capitals(choice: str, expected: str | None) -> None:
    body = sent({"tools": [tool("a"), tool("b")], "tool_choice": choice})
    assert body.get("tool_choice") == expected
    assert len(body["tools"]) == 2


def test_a_named_tool_is_the_only_one_sent_and_required() -> None:
    choice = {"type": "function", "function": {"name": "b"}}
    body = sent({"tools": [tool("a"), tool("b", description="B.")], "tool_choice": choice})
    assert body["tools"] == [tool("b", description="B.")]
    assert body["tool_choice"] == "REQUIRED"


def test_a_tool_without_parameters_takes_an_object_of_none() -> None:
    (only,) = sent({"tools": [{"type": "function", "function": {"name": "now"}}]})["tools"]
    assert only["function"] == {"name": "now", "parameters": {"type": "object", "properties": {}}}


def test_tools_are_strict_together_or_not_at_all() -> None:
    strict, loose = tool("a", strict=True), tool("b")
    assert sent({"tools": [strict]})["strict_tools"] is True
    assert "strict_tools" not in sent({"tools": [strict, loose]})
    assert dropped({"tools": [strict, loose]}) == ("tools[].function.strict",)
    assert dropped({"tools": [strict]}) == dropped({"tools": [loose]}) == ()
    assert sent({"tools": [strict, loose], "strict_tools": True})["strict_tools"] is True


def test_json_is_asked_for_with_and_without_a_schema() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    wish = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert sent({"response_format": wish})["response_format"] == {"type": "json_object", "json_schema": schema}
    assert sent({"response_format": {"type": "json_object"}})["response_format"] == {"type": "json_object"}
    assert "response_format" not in sent({"response_format": {"type": "text"}})


def test_json_together_with_tools_is_refused_unless_it_may_be_dropped() -> None:
    request = {"tools": [tool()], "response_format": {"type": "json_object"}}
    failure = refused(request)
    assert (failure.param, failure.inexpressible) == ("response_format", True)
    assert "together with tools" in failure.message
    assert dropped(request, params=ParamPolicy.DROP) == ("response_format",)
    assert "response_format" not in sent(request, params=ParamPolicy.DROP)


def test_sampling_is_moved_into_the_ranges_that_are_taken() -> None:
    asked = {"temperature": 1.7, "top_p": 1, "top_k": 40, "seed": 7, "frequency_penalty": 1.5, "presence_penalty": -1}
    body = sent({**asked, "stop": "END", "max_completion_tokens": 9})
    expected = {"temperature": 1, "p": 0.99, "k": 40, "seed": 7, "frequency_penalty": 1}
    assert {**body, **expected} == body
    assert (body["stop_sequences"], body["max_tokens"]) == (["END"], 9)
    assert body.keys() - expected.keys() == {"model", "messages", "stream", "stop_sequences", "max_tokens"}


def test_fields_of_cohere_s_own_pass_as_they_came() -> None:
    native = {
        "documents": [{"data": {"text": "x"}}],
        "citation_options": {"mode": "OFF"},
        "safety_mode": "STRICT",
        "priority": 3,
        "k": 5,
        "p": 0.5,
        "thinking": {"type": "enabled", "token_budget": 77},
    }
    body = sent({**native, "reasoning_effort": "high"}, model_traits=THINKS)
    assert {**body, **native} == body


@pytest.mark.parametrize(
    ("effort", "max_tokens", "expected"),
    [
        ("none", None, {"type": "disabled"}),
        ("low", None, {"type": "enabled", "token_budget": 2_048}),
        ("high", 1_000, {"type": "enabled", "token_budget": 500}),
        ("high", 1, {"type": "enabled", "token_budget": 1}),
        (None, None, None),
    ],
)
def test_effort_is_a_budget_of_tokens(effort: str | None, max_tokens: int | None, expected: Any) -> None:
    request = {"reasoning_effort": effort, "max_tokens": max_tokens}
    assert sent(request, model_traits=THINKS).get("thinking") == expected


def test_effort_for_a_model_that_does_not_think_is_left_out_and_noted() -> None:
    assert "thinking" not in sent({"reasoning_effort": "low"})
    assert dropped({"reasoning_effort": "low"}) == ("reasoning_effort",)
    assert refused({"reasoning_effort": "huge"}).param == "reasoning_effort"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("top_logprobs", 3),
        ("logit_bias", {"1": 1}),
        ("parallel_tool_calls", False),
        ("modalities", ["audio"]),
    ],
)
def test_what_would_change_the_answer_is_refused(field: str, value: Any) -> None:
    failure = refused({field: value})
    assert (failure.param, failure.code) == (field, "unsupported_parameter")
    assert dropped({field: value}, params=ParamPolicy.DROP) == (field,)


def test_a_stream_of_one_choice_is_whole_when_more_were_asked_for_and_dropped() -> None:
    encoded = wire({"messages": HI, "n": 3}, params=ParamPolicy.DROP, stream=True)
    assert encoded.wish.choices == 1


def test_what_shapes_only_how_it_is_made_is_noted() -> None:
    request = {"user": "u", "metadata": {"a": "b"}, "service_tier": "flex", "n": 1, "logprobs": False, "store": False}
    assert dropped(request) == ("user", "metadata", "service_tier")
    assert sent({"logprobs": True})["logprobs"] is True


def test_the_oracle_itself_refuses_what_is_wrong() -> None:
    assert cohere.__version__
    for wrong in ({"role": "tool", "content": "x"}, {"role": "user"}, {"role": "user", "content": [{"type": "text"}]}):
        with pytest.raises(ValueError, match="validation error"):
            MESSAGES.validate_python([wrong])


@settings(CALM, max_examples=150)
@given(chat_requests(), st.sampled_from(ParamPolicy), st.sets(st.sampled_from(ModelTrait)), st.booleans())
def test_any_request_is_servable_or_refused_with_its_field(
    request: dict[str, Any], policy: ParamPolicy, traits: set[ModelTrait], stream: bool
) -> None:
    encoded = wire(request, params=policy, model_traits=frozenset(traits), stream=stream)
    if isinstance(encoded, Failure):
        assert (encoded.error_class, bool(encoded.param)) == (ErrorClass.BAD_REQUEST, True)
        return
    body = checked(encoded)
    assert (body["stream"], len(body["messages"])) == (stream, len(request["messages"]))
    assert (encoded.dropped_params == ()) or policy is not ParamPolicy.STRICT
