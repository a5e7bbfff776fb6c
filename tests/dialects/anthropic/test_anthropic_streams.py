"""Streams of the Messages API become chunks of OpenAI's shape, and a whole answer beside them."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from providers.completion import Answer, Usage
from providers.dialects.json_tool import NAME
from providers.failure import ErrorClass, Failure
from tests.dialects.anthropic.messages_api import (
    USAGE,
    answer,
    block,
    call,
    end,
    message,
    read,
    sse,
    start,
    streamed,
    text,
    thought,
)
from tests.dialects.recordings import recorded_bodies

SEALED = {"type": "thinking", "thinking": "Hm.", "signature": "sealed"}
REDACTED = {"type": "redacted_thinking", "data": "d"}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
QUERY = {"type": "input_json_delta", "partial_json": '{"query":"q"}'}
CITED = {"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "x", "document_index": 0,
         "document_title": None, "file_id": None, "start_char_index": 0, "end_char_index": 1}}  # fmt: skip
PING = {"type": "ping"}


def deltas(*parts: Any, **kwargs: Any) -> list[dict[str, Any]]:
    """The deltas of a stream, all of which has to be there before its end."""
    return streamed(start(), *parts, **kwargs).deltas


def piece(place: int, **function: Any) -> dict[str, Any]:
    """The first piece of a call, or with arguments alone a later one."""
    if "name" not in function:
        return {"tool_calls": [{"index": place, "function": function}]}
    call_id = function.pop("id")
    return {"tool_calls": [{"index": place, "id": call_id, "type": "function", "function": function}]}


PIECES: dict[str, tuple[list[Any], list[dict[str, Any]]]] = {
    "text": ([*text(0, "Hel", "lo"), *end()], [{"content": "Hel"}, {"content": "lo"}, {}]),
    "text that stands in the start already": (
        [*block(0, {"type": "text", "text": "Hel"}, {"type": "text_delta", "text": "lo"}), *end()],
        [{"content": "Hel"}, {"content": "lo"}, {}],
    ),
    "a call": (
        [*call(0, '{"a"', ":1}"), *end("tool_use")],
        [piece(0, name="f", id="toolu_0", arguments=""), piece(0, arguments='{"a"'), piece(0, arguments=":1}"), {}],
    ),
    "a call without arguments": (
        [*call(0), *end("tool_use")],
        [piece(0, name="f", id="toolu_0", arguments=""), piece(0, arguments="{}"), {}],
    ),
    "a call with an empty piece of arguments": (
        [*call(0, ""), *end("tool_use")],
        [piece(0, name="f", id="toolu_0", arguments=""), piece(0, arguments="{}"), {}],
    ),
    "a call whose arguments stand in its start": (
        [*call(0, input={"a": 1}), *end("tool_use")],
        [piece(0, name="f", id="toolu_0", arguments=""), piece(0, arguments='{"a":1}'), {}],
    ),
    "calls are counted apart from other blocks": (
        [*text(0, "So"), *call(1, "{}"), *call(2, "{}", name="g"), *end("tool_use")],
        [
            {"content": "So"},
            piece(0, name="f", id="toolu_1", arguments=""),
            piece(0, arguments="{}"),
            piece(1, name="g", id="toolu_2", arguments=""),
            piece(1, arguments="{}"),
            {},
        ],
    ),
    "thinking": (
        [*thought(0, "H", "m."), *text(1, "Yes"), *end()],
        [
            {"reasoning_content": "H"},
            {"reasoning_content": "m."},
            {"thinking_blocks": [{"index": 0, **SEALED}]},
            {"content": "Yes"},
            {},
        ],
    ),
    "thinking that is not shown": (
        [*thought(0), *end()],
        [{"thinking_blocks": [{"index": 0, **SEALED, "thinking": ""}]}, {}],
    ),
    "redacted thinking": ([*block(0, REDACTED), *end()], [{"thinking_blocks": [{"index": 0, **REDACTED}]}, {}]),
    "the provider's own tools and citations are left out": (
        [*block(0, SEARCH, QUERY), *block(1, {"type": "text", "text": ""}, CITED), *text(2, "Yes"), *end()],
        [{"content": "Yes"}, {}],
    ),
    "pings say nothing": ([PING, *text(0, "Yes"), PING, *end()], [{"content": "Yes"}, {}]),
    "nothing but an end": (end(), [{}]),
}


@pytest.mark.parametrize(("events", "expected"), PIECES.values(), ids=PIECES)
def test_events_become_deltas(events: list[Any], expected: list[dict[str, Any]]) -> None:
    found = deltas(*events, typed=PING not in events)
    assert found == [{"role": "assistant", **expected[0]}, *expected[1:]]


def test_id_and_model_are_the_providers_in_every_chunk() -> None:
    chunks = streamed(start(), text(0, "Hel", "lo"), end()).chunks
    assert {(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks} == {
        ("msg_1", "claude-served", 1_795_348_800)
    }


def test_nothing_is_handed_on_before_the_answers_first_piece() -> None:
    assert streamed(start(), PING, typed=False).raw == []


@pytest.mark.parametrize("include_usage", [False, True])
def test_usage_comes_last_and_only_to_who_asked(include_usage: bool) -> None:
    result = streamed(start(), text(0, "Hi"), end(), include_usage=include_usage)
    assert isinstance(result.outcome, Answer)
    assert result.outcome.usage == Usage(17, 20, 4, 3, 0)
    assert ("usage" in result.chunks[-1]) is include_usage


def test_later_counts_replace_the_first() -> None:
    last, stop = end()
    counts = {"input_tokens": 100, "cache_read_input_tokens": None, "output_tokens": 30}
    result = streamed(start(), text(0, "Hi"), {**last, "usage": counts}, stop)
    assert isinstance(result.outcome, Answer)
    assert result.outcome.usage == Usage(107, 30, 4, 3, 0)


def test_several_ends_are_one() -> None:
    early = {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 7}}
    result = streamed(start(), text(0, "Hi"), early, end("max_tokens"), typed=False)
    assert result.answer["choices"][0]["finish_reason"] == "length"
    assert len(result.raw) == 2


def test_a_refusal_says_why() -> None:
    why = {"type": "refusal", "category": "cyber", "explanation": "Against the policy."}
    result = streamed(start(), text(0, "Hm"), end("refusal", stop_details=why))
    assert result.message["refusal"] == "Against the policy."
    assert result.answer["choices"][0]["finish_reason"] == "content_filter"
    assert result.answer["choices"][0]["native_finish_reason"] == "refusal"


@pytest.mark.parametrize("pieces", [(), ("",), ('{"a"', ":1}")])
def test_the_json_tools_input_is_the_answer(pieces: tuple[str, ...]) -> None:
    result = streamed(start(), call(0, *pieces, name=NAME), end("tool_use"), json_tool=NAME)
    assert result.text == ("".join(pieces) or "{}")
    assert "tool_calls" not in result.message
    assert result.answer["choices"][0]["finish_reason"] == "stop"


def test_words_beside_the_json_tool_are_no_part_of_the_answer() -> None:
    events = (start(), text(0, "Sure: "), call(1, '{"a":1}', name=NAME))
    result = streamed(*events, text(2, "!"), end("tool_use"), json_tool=NAME)
    assert result.text == '{"a":1}'


def test_words_in_place_of_the_json_tool_are_the_answer() -> None:
    result = streamed(start(), text(0, "I ", "cannot."), end(), json_tool=NAME)
    assert result.text == "I cannot."


def test_events_of_tomorrow_are_passed_over() -> None:
    events = [
        start(),
        {"type": "mood", "mood": "good"},
        text(0, "Hi"),
        block(1, {"type": "song"}, {"type": "note"}),
        end(),
    ]
    assert streamed(*events, typed=False).text == "Hi"


STRANGE = {
    "an end without a reason": {"type": "message_stop"},
    "a chunk of another dialect": {"choices": [{"delta": {"content": "Hi"}}], "type": None},
    "a delta of no block": {"type": "content_block_delta", "index": 9, "delta": {"type": "text_delta", "text": "x"}},
    "a start without a message": {"type": "message_start"},
    "a text that is none": {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}},
    "another message": start(id="msg_2"),
    "the same message anew": start(),
}


@pytest.mark.parametrize("event", STRANGE.values(), ids=STRANGE)
def test_what_is_not_of_this_stream_breaks_it(event: dict[str, Any]) -> None:
    begun = sse([start(), *text(0, "Hel")[:2]])
    result = read(begun, b"data: " + orjson.dumps(event) + b"\n\n", sse(end()))
    assert result.text == "Hel"
    assert result.failure.error_class is ErrorClass.INVALID_RESPONSE


@pytest.mark.parametrize("data", [b"{", b"[]", b'"text"', b"\xff", b"[DONE]"])
def test_an_event_that_is_no_object_breaks_the_stream(data: bytes) -> None:
    result = read(sse([start()]), b"data: " + data + b"\n\n")
    assert result.failure.error_class is ErrorClass.INVALID_RESPONSE


def test_a_start_that_is_repeated_at_once_is_one() -> None:
    assert streamed(start(), start(), text(0, "Hi"), end()).text == "Hi"


WHOLE = sse(
    [
        start(),
        PING,
        *thought(0, "Hm."),
        *block(1, REDACTED),
        *text(2, "Grüße ", "🌍"),
        *call(3, '{"a":', '"ü"}'),
        *call(4),
        *end("tool_use"),
    ]
)


def test_however_a_stream_is_cut_its_chunks_are_the_same() -> None:
    whole = read(WHOLE)
    assert read(*(WHOLE[at : at + 1] for at in range(len(WHOLE)))) == whole
    assert read(WHOLE.replace(b"\n", b"\r\n")) == whole


def test_a_stream_cut_short_is_no_answer() -> None:
    ended_at = WHOLE.index(b"event: message_stop")
    for at in range(ended_at - 2):
        assert isinstance(read(WHOLE[:at]).outcome, Failure), at
    assert read(WHOLE[:ended_at]) == read(WHOLE)


def test_a_stream_gives_the_same_answer_as_the_whole_message() -> None:
    use = {"type": "tool_use", "id": "toolu_3", "name": "f", "input": {"a": "ü"}}
    blocks: list[dict[str, Any]] = [
        SEALED,
        REDACTED,
        {"type": "text", "text": "Grüße 🌍"},
        use,
        {**use, "id": "toolu_4", "input": {}},
    ]
    _, whole = answer(message(*blocks, stop_reason="tool_use", usage=USAGE))
    assert read(WHOLE).answer == whole


def gathered(events: list[Any]) -> Any:
    """The message that the vendor's own client puts together."""
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    message: Any = None
    arguments: dict[int, bytes] = {}
    for event in events:
        if event["type"] != "ping":
            typed = adapter.validate_python(event)
            message = accumulate_event(event=typed, current_snapshot=message, json_bufs=arguments)
    return message


@pytest.mark.parametrize("file", recorded_bodies("anthropic", ending=".chunks.txt"))
def test_a_recorded_stream_reads_as_the_vendors_client_reads_it(file: Path) -> None:
    events = [orjson.loads(line) for line in file.read_bytes().splitlines() if line.strip()]
    result = read(sse(events), include_usage=True)
    if file.name.startswith("spliced"):
        assert isinstance(result.outcome, Failure)
        return
    known = {"text", "thinking", "tool_use", "server_tool_use"}
    if any(event["type"] == "content_block_start" and event["content_block"]["type"] not in known for event in events):
        assert isinstance(result.outcome, Answer)
        return
    expected = gathered([event for event in events if event["type"] != "message_start" or event is events[0]])
    assert result.text == "".join(each.text for each in expected.content if each.type == "text")
    calls = result.message.get("tool_calls") or []
    assert [(each["id"], orjson.loads(each["function"]["arguments"])) for each in calls] == [
        (each.id, each.input) for each in expected.content if each.type == "tool_use"
    ]
    assert result.chunks[-1]["usage"]["completion_tokens"] == expected.usage.output_tokens


@pytest.mark.parametrize("file", recorded_bodies("anthropic", ending=".chunks.txt"))
def test_a_recorded_stream_reads_the_same_byte_by_byte(file: Path) -> None:
    body = sse([line for line in file.read_bytes().splitlines() if line.strip()][:60])
    assert read(*(body[at : at + 1] for at in range(len(body)))) == read(body)
