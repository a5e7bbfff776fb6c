"""Chat answers: plain ones pass untouched, the habits of compatible servers are mended, broken ones are failures."""

from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletion

from providers.completion import Answer, Endpoint, Usage
from providers.dialects import WireResponse, dialect
from providers.failure import ErrorClass
from tests.dialects.wire import JSON, answer, completion, failure, target, with_choice, with_message

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOKEN = {"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}


def mended(body: dict[str, Any]) -> dict[str, Any]:
    """Decode, hold the result against the official types, return it parsed."""
    _, data = answer(body)
    ChatCompletion.model_validate(data)
    return data


def message_of(body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = mended(body)["choices"][0]["message"]
    return message


@pytest.mark.parametrize(
    "body",
    [
        completion(),
        completion(service_tier="default"),
        completion(usage=...),
        completion(choices_extra=1, unknown={"kept": True}),
        with_message(content=None, tool_calls=[CALL]),
        with_message(tool_calls=None),
        with_choice(logprobs={"content": [TOKEN], "refusal": None}),
        with_choice(logprobs={"content": None}),
    ],
)
def test_a_plain_answer_passes_byte_for_byte(body: dict[str, Any]) -> None:
    content = orjson.dumps(body, option=orjson.OPT_INDENT_2)
    outcome = dialect("openai").decode(Endpoint.CHAT, WireResponse(200, JSON, content), target())
    assert isinstance(outcome, Answer)
    assert outcome.body is content
    ChatCompletion.model_validate(body)


def test_an_answer_tells_what_was_served_used_and_billed() -> None:
    outcome, _ = answer(completion(service_tier="flex", usage={**completion()["usage"], "cost": 0.00123}))
    assert (outcome.model, outcome.service_tier, outcome.finish_reason) == ("served-model", "flex", "stop")
    assert outcome.usage == Usage(prompt_tokens=12, completion_tokens=9)
    assert (outcome.provider_request_id, outcome.reported_cost_nanousd) == ("req_1", 1_230_000)


def test_keep_alive_blank_lines_before_a_body_are_taken_off() -> None:
    outcome, _ = answer(b"\n\n\n" + orjson.dumps(completion()))
    assert outcome.body.startswith(b"{")


def test_a_byte_order_mark_is_taken_off() -> None:
    outcome, _ = answer(b"\xef\xbb\xbf" + orjson.dumps(completion()))
    assert outcome.body.startswith(b"{")


def test_json_under_another_name_is_accepted() -> None:
    assert answer(completion(), headers={"content-type": "text/plain; charset=utf-8"})[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ({"id": "c1", "function": {"name": "f", "arguments": "{}"}}, "{}"),
        ({"id": "c1", "type": "function", "function": {"name": "f"}}, "{}"),
        ({"id": "c1", "type": "function", "function": {"name": "f", "arguments": None}}, "{}"),
        ({"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}, "{}"),
        ({"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}, '{"a":1}'),
        ({"id": "c1", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{}"}}, "{}"),
    ],
)
def test_gaps_in_a_tool_call_are_filled(call: dict[str, Any], arguments: str) -> None:
    (found,) = message_of(with_message(tool_calls=[call]))["tool_calls"]
    assert (found["id"], found["type"], found["function"]["arguments"]) == ("c1", "function", arguments)


@pytest.mark.parametrize("missing", [..., None, ""])
def test_tool_calls_without_an_id_get_different_ones_that_stay_the_same(missing: Any) -> None:
    call = {key: value for key, value in {**CALL, "id": missing}.items() if value is not ...}
    first = message_of(with_message(tool_calls=[call, call]))["tool_calls"]
    again = message_of(with_message(tool_calls=[call, call]))["tool_calls"]
    assert first == again
    assert first[0]["id"] != first[1]["id"]
    assert first[0]["id"].startswith("call_")


def test_a_custom_tool_call_is_kept() -> None:
    call = {"id": "c1", "type": "custom", "custom": {"name": "grep", "input": "x"}}
    assert message_of(with_message(tool_calls=[call]))["tool_calls"] == [call]


def test_typed_chunks_are_split_into_content_and_reasoning() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm "}, {"type": "text", "text": "yes"}]}
    message = message_of(with_message(content=[thinking, {"type": "text", "text": "4"}]))
    assert (message["content"], message["reasoning_content"]) == ("4", "hm yes")


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning": "why"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "w"}, {"type": "reasoning.text", "text": "hy"}]},
        {"reasoning_content": "why"},
        {"reasoning_content": "why", "reasoning": "other"},
    ],
)
def test_reasoning_is_found_under_every_name(fields: dict[str, Any]) -> None:
    message = message_of(with_message(**fields))
    assert message["reasoning_content"] == "why"
    assert fields.items() <= message.items()


def test_empty_fields_of_one_server_count_as_absent() -> None:
    body = with_message(
        function_call={"name": "", "arguments": ""}, audio={"id": ""}, tool_calls=None, annotations=None
    )
    body |= {"id": "", "service_tier": ""}
    body["choices"][0] |= {"finish_reason": "", "logprobs": {"content": None}}
    data = mended(body)
    assert data["id"].startswith("chatcmpl-")
    assert data["service_tier"] is None
    message = data["choices"][0]["message"]
    assert (message["function_call"], message["audio"]) == (None, None)
    assert data["choices"][0]["finish_reason"] == "stop"


def test_an_empty_ending_with_tool_calls_means_tool_calls() -> None:
    body = with_message(tool_calls=[CALL])
    body["choices"][0]["finish_reason"] = ""
    assert mended(body)["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("eos", "stop"),
        ("eos_token", "stop"),
        ("end_turn", "stop"),
        ("model_length", "length"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("token_limit_reached", "length"),
        ("tool_use", "tool_calls"),
        ("sensitive", "content_filter"),
        ("safety_stop", "content_filter"),
        ("finished_for_reasons_unheard_of", "stop"),
    ],
)
def test_other_words_for_the_end_are_translated_and_kept(word: str, meaning: str) -> None:
    choice = mended(with_choice(finish_reason=word))["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == (meaning, word)


@pytest.mark.parametrize("word", ["stop", "length", "tool_calls", "content_filter"])
def test_the_dialects_own_words_stay(word: str) -> None:
    choice = mended(with_choice(finish_reason=word))["choices"][0]
    assert choice["finish_reason"] == word
    assert "native_finish_reason" not in choice


@pytest.mark.parametrize(
    ("word", "error_class"),
    [
        ("error", ErrorClass.SERVER_ERROR),
        ("network_error", ErrorClass.SERVER_ERROR),
        ("upstream_error", ErrorClass.SERVER_ERROR),
        ("insufficient_system_resource", ErrorClass.OVERLOADED),
    ],
)
def test_an_answer_that_broke_off_is_a_failure(word: str, error_class: ErrorClass) -> None:
    outcome = failure(with_choice(finish_reason=word))
    assert (outcome.error_class, outcome.code, outcome.outcome_unknown) == (error_class, word, True)


def test_a_filtered_choice_without_a_message_gets_an_empty_one() -> None:
    message = message_of(with_choice(message=..., finish_reason="content_filter"))
    assert (message["role"], message["content"]) == ("assistant", None)


@pytest.mark.parametrize(("tier", "shown"), [("on_demand", "default"), ("batch", None), (3, None), ("flex", "flex")])
def test_unknown_service_tiers_are_not_shown_to_clients(tier: Any, shown: str | None) -> None:
    outcome, data = answer(completion(service_tier=tier))
    assert data["service_tier"] == shown
    assert outcome.service_tier == (tier if isinstance(tier, str) else None)


def test_missing_parts_of_the_envelope_are_filled() -> None:
    body = completion(id=..., object=..., created=..., model=...)
    body["choices"][0].pop("index")
    outcome, data = answer(body)
    ChatCompletion.model_validate(data)
    assert outcome.model is None
    assert (data["model"], data["created"], data["choices"][0]["index"]) == ("asked-model", 1_795_348_800, 0)


def test_log_probabilities_without_alternatives_are_completed() -> None:
    token = {"token": "a", "logprob": -0.1}
    (found,) = mended(with_choice(logprobs={"content": [token]}))["choices"][0]["logprobs"]["content"]
    assert found["top_logprobs"] == []


def test_log_probabilities_beyond_repair_are_left_out() -> None:
    assert mended(with_choice(logprobs=[1, 2]))["choices"][0]["logprobs"] is None


def test_annotations_of_another_kind_move_aside() -> None:
    citation = {
        "type": "url_citation",
        "url_citation": {"start_index": 0, "end_index": 1, "title": "t", "url": "https://x.test"},
    }
    message = message_of(with_message(annotations=[citation, {"type": "file", "file": {}}]))
    assert message["annotations"] == [citation]
    assert len(message["provider_annotations"]) == 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (with_choice(finish_reason=None), "no finish_reason"),
        (with_choice(finish_reason=...), "no finish_reason"),
        (with_choice(message=...), "without a message"),
        (completion(choices=[]), "no choices"),
        (completion(choices=...), "no choices"),
        (completion(choices=["x"]), "not an object"),
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"[1, 2]", "array"),
        (b"17", "not JSON"),
        (orjson.dumps(completion())[:-9], "cut short"),
        (b"<html><body>Bad Gateway</body></html>", "not JSON"),
        (orjson.dumps(completion()).replace(b"12", b"NaN"), "not JSON"),
        (orjson.dumps(completion()).replace(b"12", b"1e999"), "not JSON"),
        (b"[" * 5_000_000, "not JSON"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "nested too deeply"),
    ],
)
def test_a_success_that_is_no_answer_is_invalid_and_possibly_billed(body: Any, says: str) -> None:
    outcome = failure(body)
    assert outcome.error_class is ErrorClass.INVALID_RESPONSE
    assert outcome.outcome_unknown
    assert says in outcome.message


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "text/event-stream", "image/png"])
def test_a_content_type_that_is_never_json_is_refused(content_type: str) -> None:
    outcome = failure(completion(), headers={"content-type": content_type})
    assert outcome.error_class is ErrorClass.INVALID_RESPONSE
    assert content_type.split(";")[0] in outcome.message


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_that_names_the_host_only(status: int) -> None:
    outcome = failure(b"", status=status, headers={"location": "https://evil.test/path?token=abc"})
    assert outcome.error_class is ErrorClass.SERVER_ERROR
    assert not outcome.outcome_unknown
    assert "evil.test" in outcome.message
    assert "token" not in outcome.message
