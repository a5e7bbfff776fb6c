"""Streams of the cohere dialect: recorded ones, written ones and damaged ones."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from cohere.core.unchecked_base_model import construct_type
from cohere.v2.types.v2chat_stream_response import V2ChatStreamResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.completion import Answer, Usage
from providers.failure import ErrorClass as E
from tests.dialects import streams
from tests.dialects.recordings import recorded_bodies
from tests.dialects.streams import Read
from tests.dialects.test_any_bytes import CALM, TEXTS, VALUES, maybe
from tests.dialects.test_recorded_streams import assert_gathers_to

USAGE = {"billed_units": {"input_tokens": 1}, "tokens": {"input_tokens": 12, "output_tokens": 9}, "cached_tokens": 4}
START = {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant", "content": []}}}


def body(*events: Any) -> bytes:
    """Write events with their names, as Cohere does, and no end marker."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (each["type"].encode(), orjson.dumps(each)) for each in events)


def read(*pieces: bytes, **kwargs: Any) -> Read:
    return streams.read(*pieces, dialect="cohere", **kwargs)


def text(word: str, **changes: Any) -> dict[str, Any]:
    return {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": word}}}, **changes}


def call(kind: str, index: int = 0, **function: Any) -> dict[str, Any]:
    identity = {"id": f"call_{index}", "type": "function"} if kind == "tool-call-start" else {}
    return {"type": kind, "index": index, "delta": {"message": {"tool_calls": {**identity, "function": function}}}}


def end(word: str | None = "COMPLETE", **changes: Any) -> dict[str, Any]:
    return {"type": "message-end", "delta": {"finish_reason": word, "usage": USAGE, **changes}}


def test_the_events_written_here_are_those_that_cohere_s_client_knows() -> None:
    for event in (START, text("a"), call("tool-call-start", name="x"), call("tool-call-delta", arguments="{"), end()):
        kind: Any = V2ChatStreamResponse
        known: Any = construct_type(type_=kind, object_=event)
        assert known.type == event["type"]
        assert not known.model_extra


@pytest.mark.parametrize("include_usage", [False, True], ids=["plain", "with-usage"])
@pytest.mark.parametrize("file", recorded_bodies("cohere", ending=".chunks.txt"))
def test_a_recorded_stream_is_read_like_its_recorded_parts(file: Path, include_usage: bool) -> None:
    events = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    result = read(body(*events), include_usage=include_usage)
    messages = [(event.get("delta") or {}).get("message") or {} for event in events]
    contents = [said["content"] for said in messages if isinstance(said.get("content"), dict)]
    plans = [said["tool_plan"] for said in messages if "tool_plan" in said]
    assert result.text == "".join(content.get("text", "") for content in contents)
    reasoning = "".join([*(content.get("thinking", "") for content in contents), *plans])
    assert result.message.get("reasoning_content", "") == reasoning
    calls = result.message.get("tool_calls", [])
    assert [call["id"] for call in calls] == [
        said["tool_calls"]["id"]
        for said in messages
        if isinstance(said.get("tool_calls"), dict) and "id" in said["tool_calls"]
    ]
    assert all(type(orjson.loads(call["function"]["arguments"])) is dict for call in calls)
    tokens = events[-1]["delta"]["usage"]["tokens"]
    assert isinstance(result.outcome, Answer)
    assert result.outcome.usage is not None
    assert result.outcome.usage.prompt_tokens == tokens["input_tokens"]
    assert result.outcome.usage.completion_tokens == tokens["output_tokens"]
    assert result.answer["id"] == events[0]["id"]
    assert_gathers_to(result)


@pytest.mark.parametrize("file", recorded_bodies("cohere", ending=".chunks.txt"))
def test_a_recorded_stream_reads_the_same_byte_by_byte(file: Path) -> None:
    whole = body(*[orjson.loads(line) for line in file.read_bytes().splitlines()])
    assert read(*(whole[at : at + 1] for at in range(len(whole)))).raw == read(whole).raw


TALK = body(
    START,
    {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I will look."}}},
    text("Hello"),
    call("tool-call-start", name="look", arguments=""),
    call("tool-call-delta", arguments='{"a":'),
    call("tool-call-delta", arguments="null"),
    call("tool-call-delta", arguments="}"),
    {"type": "tool-call-end", "index": 0},
    call("tool-call-start", 1, name="now", arguments=""),
    {"type": "tool-call-end", "index": 1},
    end("TOOL_CALL"),
)


def test_a_whole_stream_has_text_plan_calls_ending_and_usage() -> None:
    result = read(TALK, include_usage=True)
    message = result.message
    assert (message["content"], message["reasoning_content"]) == ("Hello", "I will look.")
    assert [call["function"] for call in message["tool_calls"]] == [
        {"name": "look", "arguments": '{"a":null}'},
        {"name": "now", "arguments": "{}"},
    ]
    assert isinstance(result.outcome, Answer)
    assert (result.outcome.finish_reason, result.outcome.usage) == ("tool_calls", Usage(12, 9, 4))
    assert result.chunks[-1]["usage"]["prompt_tokens"] == 12
    assert_gathers_to(result)


@settings(CALM, max_examples=40)
@given(st.lists(st.integers(0, len(TALK)), max_size=6))
def test_where_a_stream_is_cut_into_pieces_changes_nothing(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(TALK)]
    assert read(*(TALK[start:stop] for start, stop in pairwise(places))).raw == read(TALK).raw


def test_a_stream_that_breaks_off_is_never_whole() -> None:
    last = TALK.rindex(b"}")
    for at in range(0, last, 7):
        failure = read(TALK[:at]).failure
        assert failure.error_class is E.INVALID_RESPONSE
        assert failure.outcome_unknown


@pytest.mark.parametrize("piece", ["null", ""])
def test_a_call_whose_arguments_are_null_has_an_empty_object(piece: str) -> None:
    begun = call("tool-call-start", name="now", arguments="")
    result = read(body(START, begun, call("tool-call-delta", arguments=piece), end("TOOL_CALL")))
    assert result.message["tool_calls"][0]["function"]["arguments"] == "{}"


def test_log_probabilities_come_with_their_text() -> None:
    item = {"text": "Hi", "token_ids": [7], "logprobs": [-0.5]}
    result = read(body(START, text("Hi", logprobs=item), end()))
    expected = [{"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}]
    assert result.answer["choices"][0]["logprobs"]["content"] == expected


def test_citations_come_together_at_the_end_so_that_clients_can_gather_them() -> None:
    cited: list[dict[str, Any]] = [{"start": at, "end": at + 1, "text": "H", "sources": []} for at in (0, 3)]
    events = [
        {"type": "citation-start", "index": at, "delta": {"message": {"citations": each}}}
        for at, each in enumerate(cited)
    ]
    result = read(body(START, text("Hello"), *events, {"type": "citation-end", "index": 1}, end()))
    numbered = [{"index": at, **each} for at, each in enumerate(cited)]
    assert [delta["annotations"] for delta in result.deltas if "annotations" in delta] == [numbered]
    assert result.message["provider_annotations"] == cited
    assert_gathers_to(result)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (end("ERROR", error="boom"), E.SERVER_ERROR),
        (end("TIMEOUT", error="too slow"), E.TIMEOUT),
        (end("ERROR"), E.SERVER_ERROR),
        (end("TIMEOUT"), E.TIMEOUT),
        (end(None, error="boom"), E.SERVER_ERROR),
        ({"type": "error", "message": "the model is gone"}, E.SERVER_ERROR),
        (end(None), E.INVALID_RESPONSE),
        ({"type": "content-delta", "delta": {}}, E.INVALID_RESPONSE),
    ],
)
def test_a_stream_that_announces_a_failure_fails(last: dict[str, Any], expected: E) -> None:
    failure = read(body(START, text("Hel"), last)).failure
    assert (failure.error_class, failure.outcome_unknown) == (expected, True)


def test_the_failure_that_ends_a_stream_is_worded_as_the_provider_did() -> None:
    assert read(body(START, end("ERROR", error="boom"))).failure.message == "boom"


def test_events_that_nobody_knows_yet_are_passed_over() -> None:
    events = [
        START,
        {"type": "debug", "prompt": "x"},
        text("Hi"),
        {"type": "new-event"},
        {"type": "content-end"},
        end(),
    ]
    assert read(body(*events)).text == "Hi"


@pytest.mark.parametrize("line", [b"[1]", b"7", b'"x"', b"{", b'{"choices": []}', b"[DONE]"])
def test_events_of_no_dialect_of_cohere_s_end_the_stream(line: bytes) -> None:
    failure = read(body(START) + b"data: " + line + b"\n\n").failure
    assert failure.error_class is E.INVALID_RESPONSE


KINDS = st.sampled_from(
    [each["type"] for each in (START, text(""), call("tool-call-start"), call("tool-call-delta"), end())]
)
CONTENTS = st.fixed_dictionaries({}, optional={"text": maybe(TEXTS), "thinking": maybe(TEXTS)})
PIECES = st.fixed_dictionaries(
    {"function": maybe(st.fixed_dictionaries({"name": maybe(TEXTS)}, optional={"arguments": maybe(TEXTS)}))},
    optional={"id": maybe(TEXTS)},
)
SAID = st.fixed_dictionaries({"content": maybe(CONTENTS), "tool_calls": maybe(PIECES), "tool_plan": maybe(TEXTS)})
DELTAS = st.fixed_dictionaries(
    {"message": maybe(SAID)}, optional={"finish_reason": maybe(st.just("COMPLETE")), "usage": VALUES, "error": VALUES}
)
EVENTS = st.fixed_dictionaries(
    {"type": KINDS},
    optional={"delta": maybe(DELTAS), "index": maybe(st.integers(0, 2)), "logprobs": VALUES, "id": VALUES},
)


@settings(CALM, max_examples=200)
@given(st.lists(EVENTS, max_size=6))
def test_no_events_make_reading_raise_and_what_is_handed_on_satisfies_the_official_types(events: list[Any]) -> None:
    whole = body(START, *events, end())
    result = read(whole, include_usage=True)
    assert read(*(whole[at : at + 9] for at in range(0, len(whole), 9)), include_usage=True).raw == result.raw
