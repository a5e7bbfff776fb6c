"""What becomes of a caller's request on its way to Google AI Studio."""

from typing import Any

import orjson
import pytest

from providers.catalogue.model_trait import ModelTrait
from providers.completion import ParamPolicy
from tests.dialects.gemini.google import BASE, HELLO, KEY, refused, sent, target, written

PNG = "iVBORw0KGgo="
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"$ref": "#/$defs/city"}}, "$defs": {"city": {}}},
    },
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}


def contents(*messages: dict[str, Any], to: Any = None) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = sent({"messages": list(messages)}, to)["contents"]
    return turns


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any = None, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **fields}


def tool(content: Any, call_id: str = "call_1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def generation(**fields: Any) -> dict[str, Any]:
    config: dict[str, Any] = sent(fields).get("generationConfig", {})
    return config


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-pro", "models/gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "models/gemini-2.5-pro"),
        ("tunedModels/mine-1", "tunedModels/mine-1"),
        ("a b/../c?key=x#y", "models/a%20b%2F..%2Fc%3Fkey%3Dx%23y"),
        ("models/..", "models/.."),
    ],
)
def test_the_model_stands_in_the_address_and_cannot_leave_its_collection(model: str, path: str) -> None:
    to = target(model=model)
    assert written({}, to).url == f"{BASE}/{path}:generateContent"
    assert written({}, to, stream=True).url == f"{BASE}/{path}:streamGenerateContent?alt=sse"


def test_the_key_goes_into_its_header_and_nothing_of_the_envelope_into_the_body() -> None:
    request = written({"stream": True}, stream=True)
    assert ("x-goog-api-key", KEY) in request.headers
    assert KEY not in request.url
    assert sent({"stream": True}, stream=True) == {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


def test_instructions_stand_apart_wherever_they_were_given() -> None:
    body = sent(
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                user("Hello"),
                {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            ]
        }
    )
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Hello"}]}]


def test_instructions_alone_are_a_question() -> None:
    body = sent({"messages": [{"role": "system", "content": "Say hello."}]})
    assert body == {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]}


def test_neighbours_of_one_side_are_one_turn_and_the_user_has_the_first() -> None:
    turns = contents(assistant("I begin."), assistant("I go on."), user("One."), user("Two."))
    assert [turn["role"] for turn in turns] == ["user", "model", "user"]
    assert turns[1]["parts"] == [{"text": "I begin."}, {"text": "I go on."}]
    assert turns[2]["parts"] == [{"text": "One."}, {"text": "Two."}]


def test_no_turn_and_no_part_is_empty() -> None:
    assert contents(user(""), assistant(""), user([{"type": "text", "text": ""}])) == [
        {"role": "user", "parts": [{"text": " "}, {"text": " "}]}
    ]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "Hello"}, {"text": "Hello"}),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            {"inlineData": {"mimeType": "image/png", "data": PNG}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://example.test/cat.jpg?size=2"}},
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.test/cat.jpg?size=2"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://example.test/cat"}},
            {"fileData": {"fileUri": "https://example.test/cat"}},
        ),
        (
            {"type": "file", "file": {"file_data": "https://example.test/paper.pdf"}},
            {"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.test/paper.pdf"}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}},
        ),
        ({"type": "file", "file": {"file_id": "abc"}}, {"fileData": {"fileUri": f"{BASE}/files/abc"}}),
        ({"type": "file", "file": {"file_id": "files/abc"}}, {"fileData": {"fileUri": f"{BASE}/files/abc"}}),
        (
            {"type": "file", "file": {"file_id": f"{BASE}/files/abc", "filename": "film.mp4"}},
            {"fileData": {"mimeType": "video/mp4", "fileUri": f"{BASE}/files/abc"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            {"inlineData": {"mimeType": "audio/mpeg", "data": "AAAA"}},
        ),
    ],
)
def test_a_part_is_translated(part: dict[str, Any], expected: dict[str, Any]) -> None:
    assert contents(user([part])) == [{"role": "user", "parts": [expected]}]


def test_an_address_that_nobody_here_can_fetch_is_refused() -> None:
    failure = refused({"messages": [user([{"type": "file", "file": {"file_data": "s3://bucket/paper.pdf"}}])]})
    assert failure.param == "messages[0].content[0]"
    assert "s3://" in failure.message


def test_a_call_and_its_result_find_each_other_by_name_and_id() -> None:
    turns = contents(user("Weather?"), assistant(tool_calls=[CALL]), tool('{"sky": "blue"}'))
    assert turns[1] == {
        "role": "model",
        "parts": [{"functionCall": {"name": "weather", "args": {"city": "Oslo"}, "id": "call_1"}}],
    }
    assert turns[2] == {
        "role": "user",
        "parts": [{"functionResponse": {"name": "weather", "response": {"sky": "blue"}, "id": "call_1"}}],
    }


@pytest.mark.parametrize("text", ["blue", "[1, 2]", "7", "", '{"broken": ', '{"a": 1} and more'])
def test_a_result_that_is_no_object_is_wrapped_as_it_stands(text: str) -> None:
    turns = contents(user("Weather?"), assistant(tool_calls=[CALL]), tool(text))
    assert turns[2]["parts"][0]["functionResponse"]["response"] == {"result": text}


def test_results_of_one_step_are_one_turn_and_pictures_follow_their_result() -> None:
    second = {**CALL, "id": "call_2"}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    turns = contents(
        user("Weather?"),
        assistant("Let me see.", tool_calls=[CALL, second]),
        tool([{"type": "text", "text": "blue"}, picture]),
        tool("grey", "call_2"),
        user("And?"),
    )
    assert [turn["role"] for turn in turns] == ["user", "model", "user"]
    assert turns[1]["parts"][0] == {"text": "Let me see."}
    assert [next(iter(part)) for part in turns[2]["parts"]] == [
        "functionResponse",
        "inlineData",
        "functionResponse",
        "text",
    ]


def test_a_result_of_no_call_is_refused_by_its_place() -> None:
    failure = refused({"messages": [user("Hi"), tool("blue")]})
    assert failure.param == "messages[1].tool_call_id"


def test_signatures_go_back_to_the_parts_that_they_came_with() -> None:
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "c2lnMQ=="}}}
    beside = {"google": {"thought_signature": "c2lnMg=="}}
    turns = contents(user("Weather?"), assistant("Hm.", extra_content=beside, tool_calls=[signed]), tool("blue"))
    assert [part["thoughtSignature"] for part in turns[1]["parts"]] == ["c2lnMg==", "c2lnMQ=="]


def test_a_foreign_call_gets_the_stand_in_where_signatures_are_wanted() -> None:
    to = target(ModelTrait.THOUGHT_SIGNATURES)
    second = {**CALL, "id": "call_2"}
    history = [user("Weather?"), assistant(tool_calls=[CALL, second]), tool("blue"), tool("grey", "call_2")]
    parts = contents(*history, to=to)[1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == ["skip_thought_signature_validator", None]
    assert all("thoughtSignature" not in part for part in contents(*history)[1]["parts"])


def test_thoughts_of_other_models_stay_behind() -> None:
    sealed = [{"type": "thinking", "thinking": "Hm.", "signature": "foreign"}]
    turns = contents(user("Hi"), assistant("Hello", thinking_blocks=sealed, reasoning_content="Hm."), user("Bye"))
    assert turns[1]["parts"] == [{"text": "Hello"}]
    history = {"messages": [user("Hi"), assistant("Hello", thinking_blocks=sealed), user("Bye")]}
    assert written(history).dropped_params == ("messages[].reasoning_content",)


def test_tools_keep_their_whole_schema() -> None:
    bare = {"type": "function", "function": {"name": "now"}}
    body = sent({"tools": [WEATHER, bare]})
    function: Any = WEATHER["function"]
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "weather",
                    "description": "Tells the weather.",
                    "parametersJsonSchema": function["parameters"],
                },
                {"name": "now"},
            ]
        }
    ]
    assert "toolConfig" not in body


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "weather"}}, {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
    ],
)
def test_the_choice_among_tools_is_a_mode(choice: Any, calling: dict[str, Any]) -> None:
    body = sent({"tools": [WEATHER], "tool_choice": choice})
    assert body["toolConfig"] == {"functionCallingConfig": calling}


def test_strict_tools_are_held_to_their_schema_where_the_model_can_and_noted_where_not() -> None:
    strict: Any = {"tools": [{"type": "function", "function": {**WEATHER["function"], "strict": True}}]}  # type: ignore[dict-item]
    able = target(ModelTrait.STRICT_TOOLS)
    assert sent(strict, able)["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}
    assert written(strict).dropped_params == ("tools[].function.strict",)
    assert written({**strict, "tool_choice": "required"}).dropped_params == ()


def test_parallel_calls_cannot_be_forbidden() -> None:
    assert refused({"tools": [WEATHER], "parallel_tool_calls": False}).param == "parallel_tool_calls"
    assert written({"tools": [WEATHER], "parallel_tool_calls": True}).dropped_params == ()
    assert written({"parallel_tool_calls": False}).dropped_params == ()


@pytest.mark.parametrize(
    ("fields", "config"),
    [
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "topP": 0.9}),
        ({"temperature": 3}, {"temperature": 2}),
        ({"max_tokens": 7}, {"maxOutputTokens": 7}),
        ({"max_completion_tokens": 8, "max_tokens": 7}, {"maxOutputTokens": 8}),
        ({"stop": "END"}, {"stopSequences": ["END"]}),
        ({"stop": ["a", "b", "c", "d", "e"]}, {"stopSequences": ["a", "b", "c", "d", "e"]}),
        ({"n": 1}, {}),
        ({"n": 8}, {"candidateCount": 8}),
        ({"seed": 7}, {"seed": 7}),
        ({"seed": 2**40 + 7}, {"seed": 7}),
        ({"seed": -1}, {"seed": 2**31 - 1}),
        (
            {"presence_penalty": 0.5, "frequency_penalty": -0.5},
            {"presencePenalty": 0.5, "frequencyPenalty": -0.5},
        ),
        ({"logprobs": True, "top_logprobs": 3}, {"responseLogprobs": True, "logprobs": 3}),
        ({"logprobs": True}, {"responseLogprobs": True}),
        ({"logprobs": False, "top_logprobs": 0}, {}),
        ({"top_k": 40}, {"topK": 40}),
        ({"topK": 40}, {"topK": 40}),
        ({"thinking_config": {"thinkingBudget": 5}}, {"thinkingConfig": {"thinkingBudget": 5}}),
        ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}),
        ({"modalities": ["text"]}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"responseMimeType": "application/json"}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "#"}}}},
            {"responseMimeType": "application/json", "responseJsonSchema": {"$ref": "#"}},
        ),
    ],
)
def test_what_shapes_the_answer_stands_in_the_generation_config(fields: Any, config: dict[str, Any]) -> None:
    assert generation(**fields) == config


def test_the_limit_of_tokens_is_the_callers_and_the_provider_knows_what_is_too_much() -> None:
    to = target(max_output_tokens=8_192)
    assert sent({"max_tokens": 100_000}, to)["generationConfig"] == {"maxOutputTokens": 100_000}
    assert "generationConfig" not in sent({}, to)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stop": ["a", "b", "c", "d", "e", "f"]}, "stop"),
        ({"n": 9}, "n"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"tools": [WEATHER], "response_format": {"type": "json_object"}}, "response_format"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"temperature": "warm"}, "temperature"),
    ],
)
def test_what_cannot_be_expressed_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    assert refused(fields).param == param


def test_drop_params_leaves_out_what_is_beyond_the_providers_means() -> None:
    careless = target(params=ParamPolicy.DROP)
    stops = written({"stop": list("abcdef")}, careless)
    assert orjson.loads(stops.content)["generationConfig"]["stopSequences"] == list("abcde")
    assert stops.dropped_params == ("stop",)
    both: dict[str, Any] = {"tools": [WEATHER], "response_format": {"type": "json_object"}}
    assert "together with tools" in refused(both).message
    assert written(both, careless).dropped_params == ("response_format",)


def test_fields_that_only_shape_the_making_are_noted_and_left_out() -> None:
    fields = {"user": "u1", "metadata": {"a": "b"}, "reasoning_effort": "high", "service_tier": "scale"}
    assert set(written(fields).dropped_params) == set(fields)
    assert sent(fields) == sent({})


def test_drop_params_asks_for_one_choice_where_too_many_are_wanted() -> None:
    request = written({"n": 9}, target(params=ParamPolicy.DROP))
    assert request.dropped_params == ("n",)
    assert request.wish.choices == 1


def test_json_together_with_tools_goes_where_the_model_takes_it() -> None:
    fields = {"tools": [WEATHER], "response_format": {"type": "json_object"}}
    config = sent(fields, target(ModelTrait.JSON_WITH_TOOLS))["generationConfig"]
    assert config == {"responseMimeType": "application/json"}


@pytest.mark.parametrize(
    ("traits", "effort", "config"),
    [
        (["thinking_level"], "none", {"thinkingLevel": "MINIMAL"}),
        (["thinking_level"], "minimal", {"includeThoughts": True, "thinkingLevel": "MINIMAL"}),
        (["thinking_level", "no_minimal_thinking"], "none", {"thinkingLevel": "LOW"}),
        (["thinking_level", "no_minimal_thinking"], "minimal", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        (["thinking_level"], "low", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        (["thinking_level"], "medium", {"includeThoughts": True, "thinkingLevel": "MEDIUM"}),
        (["thinking_level"], "high", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        (["thinking_level"], "xhigh", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        (["thinking_budget"], "none", {"thinkingBudget": 0}),
        (["thinking_budget", "always_thinks"], "none", {"thinkingBudget": 128}),
        (["thinking_budget"], "low", {"includeThoughts": True, "thinkingBudget": 1_024}),
        (["thinking_budget"], "medium", {"includeThoughts": True, "thinkingBudget": 8_192}),
        (["thinking_budget", "always_thinks"], "high", {"includeThoughts": True, "thinkingBudget": 24_576}),
        (["thinking_budget"], "max", {"includeThoughts": True, "thinkingBudget": 24_576}),
    ],
)
def test_effort_is_a_level_or_a_budget_as_the_model_wants_it(
    traits: list[str], effort: str, config: dict[str, Any]
) -> None:
    request = {"reasoning_effort": effort}
    assert sent(request, target(*traits))["generationConfig"] == {"thinkingConfig": config}


def test_the_providers_own_words_for_thinking_win_over_effort() -> None:
    fields = {"thinkingConfig": {"thinkingBudget": 5}, "reasoning_effort": "high"}
    to = target("thinking_budget")
    assert sent(fields, to)["generationConfig"] == {"thinkingConfig": {"thinkingBudget": 5}}
    assert written(fields, to).dropped_params == ("reasoning_effort",)


@pytest.mark.parametrize(
    ("fields", "added"),
    [
        ({"safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]}, "safetySettings"),
        ({"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]}, "safetySettings"),
        ({"cached_content": "cachedContents/1"}, "cachedContent"),
        ({"labels": {"team": "red"}}, "labels"),
        ({"service_tier": "flex"}, "serviceTier"),
        ({"service_tier": "priority"}, "serviceTier"),
    ],
)
def test_fields_of_googles_own_go_as_they_are(fields: dict[str, Any], added: str) -> None:
    assert sent(fields) == {**sent({}), added: next(iter(fields.values()))}
    assert written(fields).dropped_params == ()


def test_the_callers_request_is_read_and_not_changed() -> None:
    history = [user("Weather?"), assistant(tool_calls=[CALL]), tool('{"sky": "blue"}'), *HELLO]
    assert contents(*history) == contents(*history)
