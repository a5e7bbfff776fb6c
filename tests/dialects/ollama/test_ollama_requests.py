"""Requests of the ollama dialect, held against the types of Ollama's own client."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ollama import Message, Options
from ollama._types import ChatRequest, EmbedRequest

from providers.catalogue.model_trait import ModelTrait
from providers.completion import Endpoint, ParamPolicy
from providers.credential import Auth
from providers.dialects import WireRequest
from providers.failure import ErrorClass, Failure
from tests.dialects.chat_requests import chat_requests
from tests.dialects.test_any_bytes import CALM
from tests.dialects.wire import encode

HI = [{"role": "user", "content": "hi"}]
PIXEL = "iVBORw0KGgo="


def wire(request: dict[str, Any], *, endpoint: Endpoint = Endpoint.CHAT, stream: bool = False, **changes: Any) -> Any:
    return encode({"model": "public", **request}, endpoint=endpoint, stream=stream, dialect="ollama", **changes)


def sent(request: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Encode a chat request that must be servable; return its body."""
    encoded = wire({"messages": HI, **request}, **changes)
    assert isinstance(encoded, WireRequest), encoded
    return checked(encoded)


def checked(encoded: WireRequest) -> dict[str, Any]:
    """Return the body of a chat request, held against the types and the fields of the vendor's own client."""
    body: dict[str, Any] = orjson.loads(encoded.content)
    ChatRequest.model_validate(body)
    assert body.keys() <= ChatRequest.model_fields.keys() | {"truncate"}
    assert body.get("options", {}).keys() <= Options.model_fields.keys() | {"min_p"}
    Options.model_validate(body.get("options", {}))
    for message in body["messages"]:
        assert written_by_the_client(message) == without_newer_ids(message)
    return body


def written_by_the_client(message: dict[str, Any]) -> dict[str, Any]:
    images = [{"value": image} for image in message.get("images", ())]
    return Message.model_validate({**message, "images": images or None}).model_dump(exclude_none=True)


def without_newer_ids(message: dict[str, Any]) -> dict[str, Any]:
    """Leave out the ids of calls, which servers take and the client's types do not know."""
    known = {name: value for name, value in message.items() if name != "tool_call_id"}
    if "tool_calls" in known:
        known["tool_calls"] = [{"function": call["function"]} for call in known["tool_calls"]]
    return known


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


@pytest.mark.parametrize(("endpoint", "path"), [(Endpoint.CHAT, "/chat"), (Endpoint.EMBEDDINGS, "/embed")])
def test_each_endpoint_has_its_path_and_no_key_is_needed(endpoint: Endpoint, path: str) -> None:
    request = {"messages": HI, "input": "hi"}
    encoded = wire(request, endpoint=endpoint, base_url="http://localhost:11434/api", api_key=None, auth=Auth.NONE)
    assert encoded.url == "http://localhost:11434/api" + path
    assert "authorization" not in dict(encoded.headers)


def test_a_plain_request_always_says_whether_to_stream() -> None:
    assert sent({}) == {"model": "asked-model", "messages": HI, "stream": False}
    assert sent({}, stream=True)["stream"] is True


def test_a_conversation_with_images_and_tools_is_one_text_a_message() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    said = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "What"}, image, {"type": "text", "text": "is it?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "Hm."},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "tool", "tool_call_id": "elsewhere", "content": "7"},
        {"role": "assistant", "content": "A dot."},
    ]
    assert sent({"messages": said})["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "What\nis it?", "images": [PIXEL]},
        {
            "role": "assistant",
            "content": "",
            "thinking": "Hm.",
            "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": {"at": 1}}}],
        },
        {"role": "tool", "tool_call_id": "c1", "tool_name": "look", "content": "42"},
        {"role": "tool", "tool_call_id": "elsewhere", "content": "7"},
        {"role": "assistant", "content": "A dot."},
    ]


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"type": "image_url", "image_url": {"url": "https://acme.test/a.png"}}, "data URL"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "audio or files"),
        ({"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PIXEL}"}}, "audio or files"),
    ],
)
def test_parts_without_an_expression_are_refused_by_their_place(part: dict[str, Any], named: str) -> None:
    failure = refused({"messages": [*HI, {"role": "user", "content": [{"type": "text", "text": "x"}, part]}]})
    assert failure.param == "messages[1].content[1]"
    assert failure.inexpressible
    assert named in failure.message


def test_sampling_and_limits_are_options() -> None:
    asked = {"temperature": 1.7, "top_p": 0.5, "seed": 7, "frequency_penalty": -1, "presence_penalty": 0, "top_k": 40}
    body = sent({**asked, "stop": ["a", "b"], "max_tokens": 9, "num_ctx": 8192})
    assert body["options"] == {**asked, "stop": ["a", "b"], "num_predict": 9, "num_ctx": 8192}


def test_fields_win_over_options_and_options_over_settings() -> None:
    settings = (("num_ctx", "4096"), ("keep_alive", "-1"))
    body = sent({}, settings=settings)
    assert (body["options"], body["keep_alive"]) == ({"num_ctx": 4096}, -1)
    request = {"options": {"num_ctx": 1, "temperature": 0, "num_gpu": 1}, "temperature": 0.5, "keep_alive": "5m"}
    body = sent(request, settings=settings)
    assert body["options"] == {"num_ctx": 1, "temperature": 0.5, "num_gpu": 1}
    assert body["keep_alive"] == "5m"
    assert sent({}, settings=(("keep_alive", "5m"),))["keep_alive"] == "5m"
    assert refused({"options": [1]}).param == "options"


def test_json_is_asked_for_with_and_without_a_schema() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    wish = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert sent({"response_format": wish, "tools": [tool()]})["format"] == schema
    assert sent({"response_format": {"type": "json_object"}})["format"] == "json"
    assert sent({"response_format": {**wish, "json_schema": {"name": "x", "schema": {}}}})["format"] == "json"
    assert "format" not in sent({"response_format": {"type": "text"}})


def test_tools_go_as_they_are_and_are_kept_back_where_none_may_be_called() -> None:
    tools = [tool("a", description="A."), {"type": "function", "function": {"name": "b"}}]
    assert sent({"tools": tools, "tool_choice": "auto"})["tools"] == [tool("a", description="A."), tool("b")]
    assert "tools" not in sent({"tools": tools, "tool_choice": "none"})
    assert dropped({"tools": tools, "tool_choice": "none"}) == ()
    assert dropped({"tools": [tool(strict=True)]}) == ("tools[].function.strict",)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "look"}}])
def test_a_call_that_must_be_made_is_refused_unless_that_may_be_dropped(choice: Any) -> None:
    request = {"tools": [tool()], "tool_choice": choice}
    assert refused(request).param == "tool_choice"
    assert dropped(request, params=ParamPolicy.DROP) == ("tool_choice",)
    assert sent(request, params=ParamPolicy.DROP)["tools"] == [tool()]


@pytest.mark.parametrize(
    ("effort", "trait", "expected"),
    [
        ("none", None, False),
        ("low", ModelTrait.THINKING_LEVEL, "low"),
        ("minimal", ModelTrait.THINKING_LEVEL, "low"),
        ("xhigh", ModelTrait.THINKING_LEVEL, "high"),
        ("none", ModelTrait.THINKING_LEVEL, False),
        ("low", ModelTrait.ADAPTIVE_THINKING, True),
        (None, ModelTrait.THINKING_LEVEL, None),
    ],
)
def test_effort_is_said_as_the_model_understands_it(
    effort: str | None, trait: ModelTrait | None, expected: Any
) -> None:
    traits = frozenset({trait} if trait else ())
    assert sent({"reasoning_effort": effort}, model_traits=traits).get("think") == expected
    assert dropped({"reasoning_effort": effort}, model_traits=traits) == ()


def test_effort_for_a_model_of_which_nothing_is_known_is_left_out_and_noted() -> None:
    assert "think" not in sent({"reasoning_effort": "high"})
    assert dropped({"reasoning_effort": "high"}) == ("reasoning_effort",)
    assert refused({"reasoning_effort": 3}).param == "reasoning_effort"
    assert sent({"reasoning_effort": "high", "think": "low"})["think"] == "low"


def test_log_probabilities_are_asked_for_by_the_same_names() -> None:
    body = sent({"logprobs": True, "top_logprobs": 3})
    assert (body["logprobs"], body["top_logprobs"]) == (True, 3)


@pytest.mark.parametrize(("field", "value"), [("n", 2), ("logit_bias", {"1": 1}), ("parallel_tool_calls", False)])
def test_what_would_change_the_answer_is_refused(field: str, value: Any) -> None:
    failure = refused({field: value})
    assert (failure.param, failure.code) == (field, "unsupported_parameter")
    assert dropped({field: value}, params=ParamPolicy.DROP) == (field,)


def test_what_shapes_only_how_it_is_made_is_noted_or_refused_where_params_are_strict() -> None:
    assert dropped({"user": "u", "n": 1, "service_tier": "flex"}) == ("user", "service_tier")
    assert refused({"user": "u"}, params=ParamPolicy.STRICT).param == "user"


def test_texts_are_embedded_in_one_call() -> None:
    def embedded(**request: Any) -> dict[str, Any]:
        encoded = wire({"input": ["a", "b"], **request}, endpoint=Endpoint.EMBEDDINGS, settings=(("num_ctx", "99"),))
        body: dict[str, Any] = orjson.loads(encoded.content)
        EmbedRequest.model_validate(body)
        assert body.keys() <= EmbedRequest.model_fields.keys()
        return body

    plain = {"model": "asked-model", "input": ["a", "b"], "options": {"num_ctx": 99}}
    assert embedded() == plain
    assert embedded(input="a", encoding_format="float") == {**plain, "input": ["a"]}
    native = {"dimensions": 256, "truncate": False, "keep_alive": 0}
    assert embedded(**native, options={"num_ctx": 7}) == {**plain, **native, "options": {"num_ctx": 7}}


def test_the_oracle_itself_refuses_what_is_wrong() -> None:
    wrongs: list[dict[str, Any]] = [{"messages": 3}, {"format": 3}, {"think": {}}, {"tools": "x"}]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="validation error"):
            ChatRequest.model_validate({"model": "m", **wrong})


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
