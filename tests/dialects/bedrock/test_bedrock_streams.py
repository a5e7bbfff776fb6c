"""Streams of Bedrock: frames beside botocore's own reader, events as chunks, and everything that breaks off."""

import struct
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.completion import Answer, Usage
from providers.dialects import Wish
from providers.dialects.bedrock.frames import EXCEPTION, MAX_FRAME_BYTES, FrameCutter
from providers.dialects.sse import Event
from providers.dialects.translation import FRAME_ERROR
from providers.failure import ErrorClass, Failure
from tests.dialects.bedrock.service_model import event, exception, frame, frames, operation, read
from tests.dialects.recordings import recorded_bodies
from tests.dialects.test_any_bytes import VALUES

CALM = settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))
USAGE = {"inputTokens": 10, "outputTokens": 7, "totalTokens": 22, "cacheReadInputTokens": 5}
START: dict[str, Any] = {"messageStart": {"role": "assistant"}}
METADATA: dict[str, Any] = {"metadata": {"usage": USAGE, "metrics": {"latencyMs": 3}}}


def delta(block: int, **piece: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": block, "delta": piece}}


def use(block: int, name: str, **more: Any) -> dict[str, Any]:
    start = {"toolUse": {"toolUseId": f"id_{block}", "name": name, **more}}
    return {"contentBlockStart": {"contentBlockIndex": block, "start": start}}


def stop(block: int) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": block}}


def ended(reason: str = "end_turn") -> dict[str, Any]:
    return {"messageStop": {"stopReason": reason}}


TEXT = frames(START, delta(0, text="Hel"), delta(0, text="lo"), stop(0), ended(), METADATA)
RICH = frames(
    START,
    delta(0, reasoningContent={"text": "Let me "}),
    delta(0, reasoningContent={"text": "see"}),
    delta(0, reasoningContent={"signature": "seal"}),
    stop(0),
    delta(1, reasoningContent={"redactedContent": "c2Vh"}),
    delta(1, reasoningContent={"redactedContent": "bGVk"}),
    stop(1),
    delta(2, text="I look"),
    stop(2),
    use(3, "weather"),
    delta(3, toolUse={"input": '{"city":'}),
    delta(3, toolUse={"input": '"Bonn"}'}),
    stop(3),
    use(4, "search", type="server_tool_use"),
    delta(4, toolUse={"input": "{}"}),
    stop(4),
    use(5, "clock"),
    delta(5, toolUse={"input": ""}),
    stop(5),
    ended("tool_use"),
    METADATA,
)


def test_text_comes_as_it_arrives_and_usage_at_the_end() -> None:
    result = read(*TEXT, include_usage=True)
    assert result.text == "Hello"
    assert result.chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert result.chunks[-1]["usage"]["prompt_tokens"] == 15
    assert isinstance(result.outcome, Answer)
    assert result.outcome.usage == Usage(15, 7, 5)
    assert (result.answer["id"], result.outcome.provider_request_id) == ("c0ffee-1", "c0ffee-1")
    assert result.answer["choices"][0]["finish_reason"] == "stop"


def test_thoughts_and_calls_come_in_order_and_the_providers_own_tools_are_hidden() -> None:
    result = read(*RICH)
    message = result.message
    places = [call["index"] for piece in result.deltas for call in piece.get("tool_calls") or ()]
    assert sorted(set(places)) == [0, 1]
    assert (message["content"], message["reasoning_content"]) == ("I look", "Let me see")
    assert message["thinking_blocks"] == [
        {"type": "thinking", "thinking": "Let me see", "signature": "seal"},
        {"type": "redacted_thinking", "data": "c2VhbGVk"},
    ]
    calls = [(call["id"], call["function"]) for call in message["tool_calls"]]
    assert calls == [
        ("id_3", {"name": "weather", "arguments": '{"city":"Bonn"}'}),
        ("id_5", {"name": "clock", "arguments": "{}"}),
    ]


def test_usage_before_the_ending_counts_too() -> None:
    outcome = read(*frames(START, delta(0, text="Hi"), METADATA, ended())).outcome
    assert isinstance(outcome, Answer)
    assert outcome.usage == Usage(15, 7, 5)


def test_the_json_tools_pieces_are_content() -> None:
    pieces = frames(
        START, use(0, "json_answer"), delta(0, toolUse={"input": '{"a"'}), delta(0, toolUse={"input": ":1}"}), stop(0)
    )
    result = read(*pieces, *frames(ended("tool_use")), wish=Wish(json_tool="json_answer"))
    assert (result.text, result.answer["choices"][0]["finish_reason"]) == ('{"a":1}', "stop")


@pytest.mark.parametrize("pieces", [TEXT, RICH], ids=["text", "rich"])
def test_however_the_bytes_are_cut_the_chunks_are_the_same(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    whole = read(body)
    one_by_one = read(*(body[at : at + 1] for at in range(len(body))))
    assert whole.raw == one_by_one.raw
    assert whole.outcome == one_by_one.outcome


@pytest.mark.parametrize("pieces", [TEXT, RICH], ids=["text", "rich"])
def test_a_stream_cut_before_its_ending_never_counts_as_complete(pieces: list[bytes]) -> None:
    whole_at = len(b"".join(pieces[:-1]))
    body = b"".join(pieces)
    for length in range(0, len(body), 7):
        outcome = read(body[:length]).outcome
        assert isinstance(outcome, Answer if length >= whole_at else Failure), length
        if isinstance(outcome, Failure):
            assert outcome.error_class is ErrorClass.INVALID_RESPONSE


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("internalServerException", 500, ErrorClass.SERVER_ERROR),
        ("modelStreamErrorException", 424, ErrorClass.SERVER_ERROR),
        ("validationException", 400, ErrorClass.BAD_REQUEST),
        ("throttlingException", 429, ErrorClass.RATE_LIMIT),
        ("serviceUnavailableException", 503, ErrorClass.OVERLOADED),
    ],
)
def test_an_exception_breaks_a_stream_off(name: str, status: int, expected: ErrorClass) -> None:
    shape = operation("ConverseStream").output_shape.members["stream"].members[name]
    assert shape.metadata["error"]["httpStatusCode"] == status
    result = read(*TEXT[:2], exception(name, {"message": "Too many tokens, please wait"}))
    failure = result.failure
    assert result.text == "Hel"
    assert failure.code == name[:1].upper() + name[1:]
    assert failure.outcome_unknown
    if name != "validationException":
        assert (failure.error_class, failure.message) == (expected, "Too many tokens, please wait")
    plain = read(*TEXT[:2], exception(name, {"message": "No"})).failure
    assert plain.error_class is expected


def test_an_error_frame_breaks_a_stream_off() -> None:
    headers = {":message-type": "error", ":error-code": "InternalServerException", ":error-message": "Oh no"}
    failure = read(*TEXT[:2], frame(headers, b"")).failure
    assert (failure.error_class, failure.message) == (ErrorClass.SERVER_ERROR, "Oh no")


def test_a_spoilt_stream_is_a_failure_only_where_nothing_came() -> None:
    nothing = read(*frames(START, ended("malformed_model_output"))).failure
    assert (nothing.error_class, nothing.code) == (ErrorClass.SERVER_ERROR, "malformed_model_output")
    some = read(*frames(START, delta(0, text="Hi"), ended("malformed_tool_use"))).answer["choices"][0]
    assert (some["finish_reason"], some["native_finish_reason"]) == ("stop", "malformed_tool_use")


def test_events_that_were_added_later_are_passed_over() -> None:
    later = event("contentBlockAnnounced", {"contentBlockIndex": 0})
    pieces = [*TEXT[:1], later, *frames(delta(0, somethingNew={"a": 1})), *TEXT[1:]]
    assert read(*pieces).text == "Hello"


def test_a_damaged_frame_ends_the_stream() -> None:
    body = bytearray(b"".join(TEXT))
    for at in range(0, len(body), 11):
        damaged = bytes(body[:at]) + bytes([body[at] ^ 0xFF]) + bytes(body[at + 1 :])
        assert isinstance(read(damaged).outcome, Failure), at


def test_a_frame_that_claims_to_be_endless_is_not_waited_for() -> None:
    prelude = (MAX_FRAME_BYTES + 1).to_bytes(4) + (0).to_bytes(4)
    (found,) = FrameCutter().feed(prelude + zlib.crc32(prelude).to_bytes(4))
    assert found.name == FRAME_ERROR


def test_frames_in_memory_are_bounded_by_the_targets_limit() -> None:
    long = frame({":message-type": "event", ":event-type": "metadata"}, b"x" * 5_000)
    failure = read(*TEXT[:2], long[:4_000], max_response_bytes=2_000).failure
    assert "2000 bytes" in failure.message


HEADER_TEXTS = st.text(max_size=20)
NAMED = st.fixed_dictionaries(
    {":message-type": st.just("event"), ":event-type": st.sampled_from(["messageStart", "x"])},
    optional={":content-type": HEADER_TEXTS, "other": HEADER_TEXTS},
)


@CALM
@given(st.lists(st.tuples(NAMED, st.binary(max_size=60)), max_size=4), st.integers(1, 50))
def test_frames_are_cut_as_botocore_cuts_them(written: list[tuple[dict[str, str], bytes]], size: int) -> None:
    body = b"".join(frame(headers, payload) for headers, payload in written)
    buffer, cutter = EventStreamBuffer(), FrameCutter()
    buffer.add_data(body)
    found = [each for at in range(0, len(body), size) for each in cutter.feed(body[at : at + size])]
    assert cutter.finish() == []
    assert cutter.pending_bytes == 0
    assert found == [Event(message.headers[":event-type"].encode(), message.payload) for message in buffer]


def test_headers_of_every_type_are_passed_over_but_for_strings() -> None:
    values = [b"\x00", b"\x01", b"\x02\x07", b"\x03\x00\x07", b"\x04" + bytes(4), b"\x05" + bytes(8)]
    values += [b"\x06\x00\x03abc", b"\x08" + bytes(8), b"\x09" + bytes(16)]
    block = b"".join(b"\x02h" + bytes([97 + at]) + value for at, value in enumerate(values))
    for name, value in ((b":message-type", b"event"), (b":event-type", b"ping")):
        block += bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
    prelude = struct.pack(">II", 16 + len(block) + 2, len(block))
    body = prelude + zlib.crc32(prelude).to_bytes(4) + block + b"{}"
    body += zlib.crc32(body).to_bytes(4)
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    assert next(iter(buffer)).headers[":event-type"] == "ping"
    assert FrameCutter().feed(body) == [Event(b"ping", b"{}")]


@CALM
@given(st.binary(max_size=300))
def test_no_bytes_make_cutting_raise(body: bytes) -> None:
    cutter = FrameCutter()
    assert all(found.name == FRAME_ERROR for found in [*cutter.feed(body), *cutter.finish()])


EVENT_NAMES = st.sampled_from([*operation("ConverseStream").output_shape.members["stream"].members, "other"])


@CALM
@given(st.lists(st.tuples(EVENT_NAMES, VALUES), max_size=3), st.integers(0, len(RICH)))
def test_no_events_make_reading_raise(strange: list[tuple[str, Any]], at: int) -> None:
    odd = [frame({":message-type": "event", ":event-type": name}, orjson.dumps(value)) for name, value in strange]
    assert isinstance(read(*RICH[:at], *odd, *RICH[at:]).outcome, Answer | Failure)


def test_the_names_of_exceptions_cannot_be_taken_for_events() -> None:
    (found,) = FrameCutter().feed(exception("throttlingException", {}))
    assert found.name == EXCEPTION + b"throttlingException"


@pytest.mark.parametrize("file", recorded_bodies("amazon-bedrock", ending=".chunks.txt"))
def test_recorded_streams_are_read(file: Path) -> None:
    events = [orjson.loads(line) for line in file.read_text().splitlines() if line.strip()]
    result = read(*frames(*events))
    deltas = [each["contentBlockDelta"]["delta"] for each in events if "contentBlockDelta" in each]
    assert (result.message["content"] or "") == "".join(piece.get("text", "") for piece in deltas)
    started = [each["contentBlockStart"]["start"] for each in events if "contentBlockStart" in each]
    names = [start["toolUse"]["name"] for start in started if "toolUse" in start]
    calls = result.message.get("tool_calls", [])
    assert [call["function"]["name"] for call in calls] == names
    assert all(isinstance(orjson.loads(call["function"]["arguments"]), dict) for call in calls)
    assert isinstance(result.outcome, Answer)
    assert (result.outcome.usage is not None) == any("metadata" in each for each in events)
