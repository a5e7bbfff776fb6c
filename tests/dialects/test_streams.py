"""Streams as servers really send them: what is handed on, what is gathered, and what a broken one becomes."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming._deltas import accumulate_delta

from providers.completion import Answer, Endpoint, Usage
from providers.dialects import WireRequest, dialect
from providers.failure import ErrorClass, Failure
from tests.dialects.streams import EVENTS, USAGE, piece, read, sse
from tests.dialects.test_any_bytes import CALM, LOGPROBS, TEXTS, USAGES, VALUES, maybe
from tests.dialects.wire import target

HELLO = (piece({"role": "assistant", "content": ""}), piece({"content": "Hel"}), piece({"content": "lo"}))
END = piece({}, "stop")
LAST = piece(choices=[], usage=USAGE)


def sent(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What is sent to the provider for a streamed request."""
    wire = dialect("openai").encode(Endpoint.CHAT, orjson.dumps(body), target(**changes), stream=True)
    assert isinstance(wire, WireRequest)
    content: dict[str, Any] = orjson.loads(wire.content)
    return content


def test_a_stream_is_asked_for_with_its_usage() -> None:
    assert sent({"messages": [], "stream_options": {"include_obfuscation": False}}) == {
        "messages": [],
        "model": "asked-model",
        "stream": True,
        "stream_options": {"include_obfuscation": False, "include_usage": True},
    }
    assert "stream_options" not in sent({"messages": []}, quirks=frozenset({"no_stream_options"}))


def test_good_chunks_pass_on_as_they_came() -> None:
    raw = [orjson.dumps(each) for each in (*HELLO, END)]
    result = read(sse(*raw, LAST), include_usage=True)
    assert result.raw[1:4] == raw[1:]
    assert result.chunks[-1]["usage"] == USAGE
    assert len(result.raw) == 5


def test_the_null_usage_of_most_chunks_goes_and_nothing_else_does() -> None:
    said = piece({"content": 'a ,"usage":null b'})
    inner = piece({"content": "c"}, x_groq={"usage": None})
    chunks = [{**each, "usage": None} for each in (*HELLO, said, inner, END)]
    result = read(sse(*chunks, LAST))
    assert result.raw[1:4] == [orjson.dumps(each) for each in (*HELLO[1:], said)]
    assert result.chunks[4] == inner
    assert len(result.raw) == 6


def test_the_whole_answer_and_its_usage_are_gathered() -> None:
    result = read(sse(*HELLO, END, LAST))
    assert isinstance(result.outcome, Answer)
    assert result.answer["object"] == "chat.completion"
    assert result.message == {"role": "assistant", "content": "Hello", "refusal": None}
    assert result.outcome.usage == Usage(12, 9)
    assert result.outcome.finish_reason == "stop"
    assert result.outcome.model == "served-model"
    assert result.outcome.provider_request_id == "req_1"


@pytest.mark.parametrize(
    "chunks",
    [
        (*HELLO, piece({}, "stop", usage=USAGE)),
        (*HELLO, {**END, "x_groq": {"usage": USAGE}}),
        (piece({"content": "Hello"}, usage={**USAGE, "completion_tokens": 1}), piece({}, "stop", usage=USAGE)),
        (*HELLO, END, piece(choices=[], usage=USAGE), piece(choices=[], usage=None)),
        (*HELLO, END, {"usage": USAGE}),
    ],
    ids=["last-content-chunk", "x_groq", "every-chunk", "then-null", "nothing-else"],
)
def test_usage_is_found_wherever_it_stands(chunks: tuple[Any, ...]) -> None:
    result = read(sse(*chunks), include_usage=True)
    assert isinstance(result.outcome, Answer)
    assert result.outcome.usage == Usage(12, 9)
    assert result.chunks[-1]["choices"] == []
    assert result.chunks[-1]["usage"] == USAGE
    assert result.text == "Hello"


def test_the_end_marker_may_be_missing_after_a_finish_reason() -> None:
    assert read(sse(*HELLO, END, LAST, done=False)).message["content"] == "Hello"
    assert read(sse(*HELLO, END, done=False).rstrip(b"\n")).message["content"] == "Hello"


def test_the_finish_reason_may_be_missing_before_an_end_marker() -> None:
    result = read(sse(*HELLO))
    assert result.answer["choices"][0]["finish_reason"] == "stop"
    assert result.chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_stream_that_just_stops_is_no_answer() -> None:
    failure = read(sse(*HELLO, done=False)).failure
    assert failure.error_class is ErrorClass.INVALID_RESPONSE
    assert failure.outcome_unknown
    assert "finish_reason" in failure.message
    assert "no choices" in read(b"").failure.message
    assert "no choices" in read(sse()).failure.message


def test_all_choices_that_were_asked_for_must_end() -> None:
    first = piece(choices=[{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}])
    second = piece(choices=[{"index": 1, "delta": {"content": "b"}, "finish_reason": "length"}])
    assert read(sse(first, done=False), choices=2).failure.error_class is ErrorClass.INVALID_RESPONSE
    both = read(sse(first, second, done=False), choices=2).answer["choices"]
    assert [(each["index"], each["message"]["content"], each["finish_reason"]) for each in both] == [
        (0, "a", "stop"),
        (1, "b", "length"),
    ]


@pytest.mark.parametrize(
    ("body", "error_class"),
    [
        (b'event: error\ndata: {"error":{"message":"no room","type":"x","status_code":429}}\n\n', "rate_limit"),
        (sse({**piece({"content": ""}, "error"), "error": {"code": 502, "message": "upstream"}}), "server_error"),
        (sse({"error": {"message": "overloaded", "type": "overloaded_error"}}), "overloaded"),
        (sse({"error": "boom"}), "server_error"),
        (b'event: error\ndata: {"message":"broken","code":"503"}\n\n', "overloaded"),
        (sse({"base_resp": {"status_code": 1002, "status_msg": "slow down"}}), "rate_limit"),
        (sse(piece({}, "network_error")), "server_error"),
        (sse(piece({}, "insufficient_system_resource")), "overloaded"),
        (sse(b"{cut"), "invalid_response"),
        (sse(b"[1]"), "invalid_response"),
        (sse(b'{"choices":' + b"[" * 300 + b"]" * 300 + b"}"), "invalid_response"),
    ],
)  # fmt: skip
def test_an_error_inside_a_stream_is_the_outcome(body: bytes, error_class: str) -> None:
    alone = read(body)
    assert not alone.raw
    assert alone.failure.error_class == error_class
    after = read(sse(*HELLO, done=False) + body)
    assert after.text == "Hello"
    assert after.failure.error_class == error_class
    assert after.failure.outcome_unknown


def test_nothing_after_an_error_or_the_end_marker_is_looked_at() -> None:
    assert read(sse({"error": "boom"}, *HELLO, END)).failure.error_class is ErrorClass.SERVER_ERROR
    assert read(sse(*HELLO, END) + sse({"error": "boom"})).message["content"] == "Hello"


def test_a_first_chunk_without_choices_is_kept_for_the_next() -> None:
    opening = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": [{"a": 1}]}
    result = read(sse(opening, *HELLO, END, LAST))
    assert result.chunks[0]["id"] == "chatcmpl-1"
    assert result.chunks[0]["prompt_filter_results"] == [{"a": 1}]
    assert "prompt_filter_results" not in result.chunks[1]
    assert result.answer["prompt_filter_results"] == [{"a": 1}]


def test_ids_and_times_are_the_same_in_every_chunk() -> None:
    result = read(sse(piece({"content": "a"}, id=...), piece({"content": "b"}, id="other", created=5), END))
    assert result.text == "ab"
    assert result.chunks[0]["id"].startswith("chatcmpl-")


def test_the_role_comes_once() -> None:
    result = read(sse(piece({"content": "a"}), piece({"role": "assistant", "content": "b"}), END))
    assert [delta.get("role") for delta in result.deltas] == ["assistant", None, None]


def call(index: Any = ..., identity: Any = ..., name: Any = ..., arguments: Any = ..., **more: Any) -> dict[str, Any]:
    """A chunk with one piece of a tool call."""
    function = {key: value for key, value in {"name": name, "arguments": arguments}.items() if value is not ...}
    fields = {"index": index, "id": identity, **more}
    found = {key: value for key, value in fields.items() if value is not ...}
    return piece({"tool_calls": [{**found, "function": function}]})


@pytest.mark.parametrize(
    "chunks",
    [
        (call(0, "c1", "f", "", type="function"), call(0, arguments='{"a":'), call(0, arguments="1}")),
        (call(0, "c1", "f", '{"a":', type="function"), call(0, "", "", "1}", type="function")),
        (call(0, "c1", "f", '{"a":', type="function"), call(0, "c1", "f", "1}", type="function")),
        (call(identity="c1", name="f", arguments='{"a":1}'),),
        (call(identity="c1", name="f", arguments={"a": 1}),),
        (call(0, "c1", "f"), call(0, None, None, '{"a":1}')),
    ],
    ids=["plain", "empty-id", "repeated-id", "no-index", "object", "no-arguments-at-first"],
)
def test_tool_calls_are_mended_and_gathered(chunks: tuple[Any, ...]) -> None:
    result = read(sse(*chunks, piece({}, "tool_calls"), LAST))
    [gathered] = result.message["tool_calls"]
    assert (gathered["id"], gathered["type"], gathered["function"]["name"]) == ("c1", "function", "f")
    assert orjson.loads(gathered["function"]["arguments"]) == {"a": 1}
    pieces = [each for delta in result.deltas for each in delta.get("tool_calls", ())]
    assert all(each["index"] == 0 for each in pieces)
    assert [each["id"] for each in pieces if each.get("id")] == ["c1"]
    assert [each["function"]["name"] for each in pieces if each["function"].get("name")] == ["f"]


def test_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    chunks = call(identity="c1", name="f", arguments='{"a"'), call(identity="c2", name="g", arguments="{}")
    result = read(sse(*chunks, call(identity="c1", name="f", arguments=":1}"), piece({}, "tool_calls")))
    assert [each["function"] for each in result.message["tool_calls"]] == [
        {"name": "f", "arguments": '{"a":1}'},
        {"name": "g", "arguments": "{}"},
    ]


def test_a_call_without_arguments_gets_the_empty_object_before_its_end() -> None:
    for ending in ([piece({}, "tool_calls")], []):
        result = read(sse(call(0, "c1", "f", "", type="function"), *ending))
        assert result.message["tool_calls"][0]["function"]["arguments"] == "{}"
        assert result.chunks[-1]["choices"][0]["delta"]["tool_calls"] == [{"index": 0, "function": {"arguments": "{}"}}]
        assert result.answer["choices"][0]["finish_reason"] == "tool_calls"


def test_an_id_that_is_missing_is_minted_once() -> None:
    result = read(sse(call(0, None, "f", "{}"), call(1, "", "g", "{}"), piece({}, "tool_calls")))
    ids = [each["id"] for each in result.message["tool_calls"]]
    assert len(set(ids)) == 2
    assert all(each.startswith("call_") for each in ids)


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning": "think"},
        {"reasoning_content": "think"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "think"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "think"}]}]},
    ],
)
def test_reasoning_comes_where_clients_look_for_it(delta: dict[str, Any]) -> None:
    result = read(sse(piece(delta), piece({"content": "Hello"}), END))
    assert result.message["reasoning_content"] == "think"
    assert result.message["content"] == "Hello"
    assert result.deltas[0]["reasoning_content"] == "think"


def test_other_words_for_the_end_are_translated() -> None:
    result = read(sse(piece({"content": "a"}, ""), piece({}, "end_turn")))
    assert [chunk["choices"][0]["finish_reason"] for chunk in result.chunks] == [None, "stop"]
    assert result.chunks[-1]["choices"][0]["native_finish_reason"] == "end_turn"
    assert result.answer["choices"][0]["native_finish_reason"] == "end_turn"


def test_logprobs_are_gathered() -> None:
    token = {"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [token]}, "finish_reason": None}
    result = read(sse(piece({"content": ""}), piece(choices=[choice]), piece(choices=[choice]), END))
    assert result.answer["choices"][0]["logprobs"]["content"] == [token, token]


def test_a_stream_cannot_fill_the_memory() -> None:
    long = piece({"content": "x" * 1_000})
    assert "passes 10000 bytes" in read(*[sse(long, done=False)] * 30, max_response_bytes=10_000).failure.message
    assert "passes 10000 bytes" in read(b"data: " + b"x" * 20_000, max_response_bytes=10_000).failure.message
    assert read(sse(*HELLO * 100, END), max_response_bytes=10_000).text == "Hello" * 100


PIECES = st.fixed_dictionaries({}, optional={"name": maybe(TEXTS), "arguments": VALUES})
CALL_PIECES = st.fixed_dictionaries(
    {},
    optional={"index": maybe(st.integers(0, 2)), "id": maybe(TEXTS), "type": TEXTS, "function": maybe(PIECES)},
)
DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "role": maybe(st.just("assistant")),
        "content": maybe(TEXTS),
        "refusal": VALUES,
        "reasoning": VALUES,
        "reasoning_content": VALUES,
        "reasoning_details": VALUES,
        "tool_calls": maybe(st.lists(CALL_PIECES, max_size=3)),
        "function_call": maybe(PIECES),
        "audio": VALUES,
        "annotations": VALUES,
    },
)
CHOICES = st.fixed_dictionaries(
    {"delta": maybe(DELTAS)},
    optional={
        "index": maybe(st.integers(0, 2)),
        "finish_reason": maybe(st.none() | TEXTS),
        "logprobs": maybe(LOGPROBS),
    },
)
CHUNKS = st.fixed_dictionaries(
    {"choices": maybe(st.lists(maybe(CHOICES), max_size=2))},
    optional={
        "id": maybe(TEXTS),
        "object": maybe(st.just("chat.completion.chunk")),
        "created": maybe(st.integers(0, 2**33)),
        "model": maybe(TEXTS),
        "usage": maybe(USAGES),
        "service_tier": maybe(TEXTS),
        "system_fingerprint": VALUES,
        "citations": VALUES,
    },
)


@CALM
@given(st.lists(maybe(CHUNKS), max_size=5), st.booleans(), st.booleans())
def test_whatever_is_handed_on_satisfies_the_official_types(chunks: list[Any], done: bool, usage: bool) -> None:
    read(sse(*chunks, done=done), include_usage=usage)


def test_the_strategies_reach_whole_answers() -> None:
    """A property over failures only would prove nothing."""
    found: set[type] = set()

    @CALM
    @given(st.lists(CHUNKS, min_size=1, max_size=3))
    def look(chunks: list[Any]) -> None:
        result = read(sse(*chunks))
        found.add(type(result.outcome) if result.raw or isinstance(result.outcome, Failure) else object)

    look()
    assert {Answer, Failure} <= found


@CALM
@given(st.binary(max_size=300))
def test_no_bytes_make_reading_raise(content: bytes) -> None:
    assert isinstance(read(content).outcome, Failure)
    assert EVENTS["content-type"] == "text/event-stream"


@pytest.mark.parametrize("name", ["thinking_blocks", "images", "annotations"])
def test_lists_that_grow_over_chunks_add_up_in_the_official_client(name: str) -> None:
    citation = {"start_index": 0, "end_index": 1, "title": "t", "url": "https://a.test"}
    items = [{"type": "url_citation", "url_citation": citation | {"title": str(number)}} for number in range(3)]
    result = read(sse(HELLO[0], piece({name: items[:1]}), piece({name: items[1:]}), END))
    added: dict[object, object] = {}
    for chunk in result.chunks[:-1]:
        added = accumulate_delta(added, chunk["choices"][0]["delta"])
    numbered = [{"index": number, **item} for number, item in enumerate(items)]
    assert added[name] == numbered
    assert result.message[name] == items
