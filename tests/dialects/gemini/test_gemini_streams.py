"""What becomes of Google's streams, however they are cut."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from google.genai.types import GenerateContentResponse

from providers.completion import Usage
from providers.failure import ErrorClass
from tests.dialects.gemini.google import answer, array, candidate, failure, read, sse, target
from tests.dialects.recordings import recorded_bodies
from tests.dialects.streams import Read
from tests.dialects.test_recorded_streams import assert_gathers_to, events

COUNTS = {"promptTokenCount": 9, "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "totalTokenCount": 14}
TALK = [
    {**candidate({"text": "Hm.", "thought": True}, finish=None), "usageMetadata": {"promptTokenCount": 9}},
    candidate({"text": "Hel"}, finish=None),
    candidate({"text": "lo"}, finish=None),
    {**candidate({"text": "", "thoughtSignature": "c2ln"}), "usageMetadata": COUNTS},
]


def in_bytes(body: bytes, **kwargs: Any) -> Read:
    return read(*(body[at : at + 1] for at in range(len(body))), **kwargs)


@pytest.mark.parametrize("write", [sse, array], ids=["events", "array"])
def test_a_stream_is_read_piece_by_piece(write: Any) -> None:
    result = read(write(*TALK), include_usage=True)
    assert [chunk["choices"][0]["delta"] for chunk in result.chunks[:-1]] == [
        {"role": "assistant", "reasoning_content": "Hm."},
        {"content": "Hel"},
        {"content": "lo"},
        {"extra_content": {"google": {"thought_signature": "c2ln"}}},
    ]
    assert result.chunks[-1]["usage"]["completion_tokens"] == 5
    assert result.answer["usage"]["total_tokens"] == 14
    assert result.message["content"] == "Hello"
    assert result.message["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    assert {(chunk["id"], chunk["model"]) for chunk in result.chunks} == {("r1", "gemini-2.5-pro-001")}
    assert in_bytes(write(*TALK), include_usage=True).raw == result.raw


@pytest.mark.parametrize("write", [sse, array], ids=["events", "array"])
def test_a_stream_that_is_cut_anywhere_before_its_ending_never_counts_as_complete(write: Any) -> None:
    body = write(*TALK)
    last = body.index(b'"finishReason"')
    for end in range(last):
        found = read(body[:end]).failure
        assert found.error_class is ErrorClass.INVALID_RESPONSE


def test_a_pretty_printed_array_is_one_too() -> None:
    body = orjson.dumps([*TALK, candidate({"text": '{"a": "}\\"]"}'})], option=orjson.OPT_INDENT_2)
    assert read(body).message["content"] == 'Hello{"a": "}\\"]"}'
    assert in_bytes(body).raw == read(body).raw


@pytest.mark.parametrize("body", [b"[1]", b'["a"]', b"[{}} ", b'[{"a":1} nonsense', b"{]"])
def test_an_array_of_something_else_is_unusable(body: bytes) -> None:
    assert read(body).failure.error_class is ErrorClass.INVALID_RESPONSE


def test_usage_that_comes_after_the_ending_is_the_last_word() -> None:
    later = {"usageMetadata": {**COUNTS, "candidatesTokenCount": 8}, "modelVersion": "m"}
    assert read(sse(*TALK, later)).outcome.usage == Usage(9, 11, reasoning_tokens=3)  # type: ignore[union-attr]


def test_a_call_comes_whole_and_the_ending_after_it_knows_of_it() -> None:
    call = {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"}
    result = read(sse(candidate(call, {"functionCall": {"name": "g"}}, finish=None), candidate({"text": ""})))
    first, second = result.message["tool_calls"]
    assert first["function"] == {"name": "f", "arguments": '{"a":1}'}
    assert first["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    assert second["function"] == {"name": "g", "arguments": "{}"}
    assert first["id"] != second["id"]
    assert result.answer["choices"][0]["finish_reason"] == "tool_calls"
    assert_gathers_to(result)


def test_pictures_of_a_stream_are_gathered() -> None:
    parts = [{"inlineData": {"mimeType": "image/png", "data": data}} for data in ("AAAA", "BBBB")]
    result = read(sse(candidate(parts[0], finish=None), candidate(parts[1])))
    assert [image["image_url"]["url"][-4:] for image in result.message["images"]] == ["AAAA", "BBBB"]


def test_two_candidates_are_two_choices() -> None:
    second = {"content": {"parts": [{"text": "B"}]}, "index": 1}
    both = {"candidates": [candidate({"text": "A"})["candidates"][0], second]}
    ending = {"candidates": [{**second, "finishReason": "MAX_TOKENS"}]}
    result = read(sse(both, ending), choices=2)
    assert [each["message"]["content"] for each in result.answer["choices"]] == ["A", "BB"]
    assert [each["finish_reason"] for each in result.answer["choices"]] == ["stop", "length"]
    assert read(sse(both), choices=2).failure.error_class is ErrorClass.INVALID_RESPONSE


def test_log_probabilities_are_gathered() -> None:
    result = {"chosenCandidates": [{"token": "A", "logProbability": -1}]}
    pieces = [candidate({"text": "A"}, finish=finish, logprobsResult=result) for finish in (None, "STOP")]
    content = read(sse(*pieces)).answer["choices"][0]["logprobs"]["content"]
    assert [token["token"] for token in content] == ["A", "A"]


@pytest.mark.parametrize(
    ("event", "error_class"),
    [
        ({"error": {"code": 503, "message": "Busy.", "status": "UNAVAILABLE"}}, ErrorClass.OVERLOADED),
        ([{"error": {"code": 429, "message": "Slow.", "status": "RESOURCE_EXHAUSTED"}}], ErrorClass.RATE_LIMIT),
        ({"error": {"code": 500, "message": "Oh.", "status": "INTERNAL"}}, ErrorClass.SERVER_ERROR),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, ErrorClass.CONTENT_FILTER),
        ([1], ErrorClass.INVALID_RESPONSE),
        (b"nonsense", ErrorClass.INVALID_RESPONSE),
        ({"candidates": 7}, ErrorClass.INVALID_RESPONSE),
    ],
)
def test_a_stream_may_break_off_with_an_error(event: Any, error_class: ErrorClass) -> None:
    assert read(sse(event)).failure.error_class is error_class
    later = read(sse(*TALK[:2], event))
    assert later.failure.error_class is error_class
    assert later.failure.outcome_unknown
    assert len(later.raw) == 2


def test_a_mishap_with_nothing_said_is_a_failure_and_with_something_an_ending() -> None:
    thought = candidate({"text": "Hm.", "thought": True}, finish=None)
    ending = {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}
    assert read(sse(thought, ending)).failure.error_class is ErrorClass.SERVER_ERROR
    said = read(sse(*TALK[:2], ending)).answer["choices"][0]
    assert (said["finish_reason"], said["native_finish_reason"]) == ("stop", "MALFORMED_FUNCTION_CALL")


def partial(path: str, value: Any = "", *, more: bool = False) -> dict[str, Any]:
    kind = {str: "stringValue", bool: "boolValue", type(None): "nullValue"}.get(type(value), "numberValue")
    piece = {"jsonPath": path, kind: value, **({"willContinue": True} if more else {})}
    return candidate({"functionCall": {"partialArgs": [piece], "willContinue": True}}, finish=None)


def test_arguments_in_pieces_are_put_together() -> None:
    result = read(
        sse(
            candidate({"functionCall": {"name": "f", "id": "c1", "willContinue": True}}, finish=None),
            partial("$.a[0].b", "one ", more=True),
            partial("$.a[0].b", "two", more=True),
            partial("$.a[0].b"),
            partial("$.a[1]['odd \\'name']", 2.5),
            partial('$["c"]', True),
            partial("$.d", None),
            partial("$.e[0][0]", "x"),
            candidate({"functionCall": {}}),
        )
    )
    (call,) = result.message["tool_calls"]
    assert call["id"] == "c1"
    assert orjson.loads(call["function"]["arguments"]) == {
        "a": [{"b": "one two"}, {"odd 'name": 2.5}],
        "c": True,
        "d": None,
        "e": [["x"]],
    }


def test_a_text_that_was_whole_is_replaced_and_not_continued() -> None:
    opened = candidate({"functionCall": {"name": "f", "willContinue": True}}, finish=None)
    result = read(sse(opened, partial("$.a", "one"), partial("$.a", "two"), candidate({"functionCall": {}})))
    assert orjson.loads(result.message["tool_calls"][0]["function"]["arguments"]) == {"a": "two"}


@pytest.mark.parametrize("last", [candidate({"text": ""}), {"candidates": [{"finishReason": "STOP"}]}])
def test_a_call_that_nothing_closes_ends_with_the_answer(last: dict[str, Any]) -> None:
    opened = candidate({"functionCall": {"name": "f", "willContinue": True}}, finish=None)
    result = read(sse(opened, partial("$.a", 1), last))
    assert result.message["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}
    assert result.answer["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("path", ["", "$", "a.b", "$.a[9]", "$.a[", "$a", "$[0]", "$.a[999999999999]", 7])
def test_a_path_that_leads_nowhere_is_unusable(path: Any) -> None:
    opened = candidate({"functionCall": {"name": "f", "willContinue": True}}, finish=None)
    assert read(sse(opened, partial(path, "x"))).failure.error_class is ErrorClass.INVALID_RESPONSE


def test_a_call_that_never_ends_is_bounded_as_an_answer_is() -> None:
    opened = candidate({"functionCall": {"name": "f", "willContinue": True}}, finish=None)
    endless = [partial("$.a", "x" * 100, more=True) for _ in range(50)]
    found = read(sse(opened, *endless, candidate({"text": "x"})), to=target(max_response_bytes=4_000))
    assert found.failure.error_class is ErrorClass.INVALID_RESPONSE


@pytest.mark.parametrize("file", recorded_bodies("google", ending=".chunks.txt"))
def test_a_recorded_stream_says_what_googles_own_types_read_in_it(file: Path) -> None:
    lines = events(file)
    result = read(sse(*lines), include_usage=True)
    pieces = [GenerateContentResponse.model_validate_json(line) for line in lines]
    parts = [part for piece in pieces for part in (piece.candidates or [])[0].content.parts or []]  # type: ignore[union-attr]
    texts = [(part.text or "", bool(part.thought)) for part in parts]
    assert (result.message["content"] or "") == "".join(text for text, thought in texts if not thought)
    assert result.message.get("reasoning_content", "") == "".join(text for text, thought in texts if thought)
    names = [part.function_call.name for part in parts if part.function_call and part.function_call.name]
    calls = result.message.get("tool_calls") or []
    assert [call["function"]["name"] for call in calls] == names
    assert all(type(orjson.loads(call["function"]["arguments"])) is dict for call in calls)
    counts = pieces[-1].usage_metadata
    assert counts is not None
    assert result.chunks[-1]["usage"]["total_tokens"] == counts.total_token_count
    assert result.chunks[-1]["usage"]["prompt_tokens"] == counts.prompt_token_count
    assert result.answer["choices"][0]["finish_reason"] == ("tool_calls" if names else "stop")
    assert_gathers_to(result)


@pytest.mark.parametrize("file", recorded_bodies("google", ending=".chunks.txt"))
def test_a_recorded_stream_reads_the_same_however_it_is_sent_and_cut(file: Path) -> None:
    lines = events(file)
    whole = read(sse(*lines)).raw
    assert in_bytes(sse(*lines)).raw == whole
    assert in_bytes(array(*lines)).raw == whole
    assert read(sse(*lines[:-1])).failure.error_class is ErrorClass.INVALID_RESPONSE


@pytest.mark.parametrize("file", recorded_bodies("google"))
def test_a_recorded_answer_says_what_googles_own_types_read_in_it(file: Path) -> None:
    body = file.read_bytes()
    if "error" in orjson.loads(body):
        assert failure(body, status=429).error_class is ErrorClass.RATE_LIMIT
        return
    outcome, data = answer(body)
    known = GenerateContentResponse.model_validate_json(body)
    assert (data["id"], data["model"]) == (known.response_id, known.model_version)
    said = data["choices"][0]["message"]
    parts = (known.candidates or [])[0].content.parts or []  # type: ignore[union-attr]
    assert (said["content"] or "") == "".join(part.text or "" for part in parts)
    calls = [part.function_call for part in parts if part.function_call]
    written = [call["function"] for call in said.get("tool_calls") or []]
    assert [(call["name"], orjson.loads(call["arguments"])) for call in written] == [(c.name, c.args) for c in calls]
    assert outcome.usage is not None
    assert known.usage_metadata is not None
    total = outcome.usage.prompt_tokens + outcome.usage.completion_tokens
    assert total == known.usage_metadata.total_token_count
