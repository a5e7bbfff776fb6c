"""Whatever a server sends, reading returns a value; whatever passes as an answer satisfies the official types."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from providers.completion import Answer
from providers.dialects.json_tool import NAME
from providers.failure import Failure
from tests.dialects.anthropic.messages_api import decode, read
from tests.dialects.test_any_bytes import CALM, COUNTS, TEXTS, VALUES, maybe

KINDS = st.sampled_from(["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "image"])
BLOCKS = st.fixed_dictionaries(
    {"type": maybe(KINDS)},
    optional={
        "text": maybe(TEXTS),
        "thinking": maybe(TEXTS),
        "signature": maybe(TEXTS),
        "data": maybe(TEXTS),
        "id": maybe(TEXTS),
        "name": maybe(TEXTS | st.just(NAME)),
        "input": maybe(st.dictionaries(TEXTS, VALUES, max_size=2)),
    },
)
USAGES = st.dictionaries(
    st.sampled_from(["input_tokens", "output_tokens", "cache_read_input_tokens", "output_tokens_details"]),
    maybe(COUNTS),
)
REASONS = maybe(st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal", "pause_turn"]))
MESSAGES = st.fixed_dictionaries(
    {"content": maybe(st.lists(maybe(BLOCKS), max_size=3)), "stop_reason": REASONS},
    optional={
        "type": maybe(st.just("message")),
        "id": maybe(TEXTS),
        "model": maybe(TEXTS),
        "usage": maybe(USAGES),
        "stop_details": maybe(st.fixed_dictionaries({"explanation": VALUES})),
        "error": VALUES,
    },
)
INDEXES = maybe(st.integers(0, 2))
PIECES = st.fixed_dictionaries(
    {"type": st.sampled_from(["text_delta", "input_json_delta", "thinking_delta", "signature_delta", "x_delta"])},
    optional={name: maybe(TEXTS) for name in ("text", "partial_json", "thinking", "signature")},
)
EVENTS = st.one_of(
    st.fixed_dictionaries({"type": st.just("message_start"), "message": maybe(MESSAGES)}),
    st.fixed_dictionaries({"type": st.just("content_block_start"), "index": INDEXES, "content_block": maybe(BLOCKS)}),
    st.fixed_dictionaries({"type": st.just("content_block_delta"), "index": INDEXES, "delta": maybe(PIECES)}),
    st.fixed_dictionaries({"type": st.just("content_block_stop"), "index": INDEXES}),
    st.fixed_dictionaries(
        {"type": st.just("message_delta"), "delta": maybe(st.fixed_dictionaries({"stop_reason": REASONS}))},
        optional={"usage": maybe(USAGES)},
    ),
    st.fixed_dictionaries({"type": st.sampled_from(["message_stop", "ping", "error"])}, optional={"error": VALUES}),
)
GOOD = (
    {"type": "message_start", "message": {"id": "m", "model": "c", "usage": {"input_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
)


def lines(events: list[Any]) -> bytes:
    return b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)


@CALM
@given(st.binary(max_size=200), st.integers(200, 599))
def test_no_bytes_make_decoding_raise(content: bytes, status: int) -> None:
    assert isinstance(decode(content, status=status), Answer | Failure)


@settings(CALM, max_examples=200)
@given(MESSAGES | VALUES, st.sampled_from([200, 200, 200, 400, 529]))
def test_what_passes_as_an_answer_satisfies_the_official_types(body: Any, status: int) -> None:
    outcome = decode(body, status=status)
    assert isinstance(outcome, Answer | Failure)
    if isinstance(outcome, Answer):
        ChatCompletion.model_validate(orjson.loads(outcome.body))


@settings(CALM, max_examples=200)
@given(
    st.lists(EVENTS | VALUES, max_size=6),
    st.integers(0, len(GOOD)),
    st.lists(st.integers(1, 400), max_size=4),
    st.sampled_from([None, NAME]),
)
def test_any_stream_reads_to_an_outcome_however_it_is_cut(
    strange: list[Any], at: int, cuts: list[int], json_tool: str | None
) -> None:
    body = lines([*GOOD[:at], *strange, *GOOD[at:]])
    pieces = [body[begin:end] for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(body)], strict=True)]
    assert read(*pieces, json_tool=json_tool) == read(body, json_tool=json_tool)


@CALM
@given(st.binary(max_size=300))
def test_no_bytes_make_a_stream_raise(content: bytes) -> None:
    assert isinstance(read(content).outcome, Failure)


def test_the_strategies_reach_answers_and_failures() -> None:
    """A property over failures only would prove nothing."""
    found: set[type] = set()

    @settings(CALM, max_examples=200, database=None, derandomize=True)
    @given(MESSAGES)
    def look(body: Any) -> None:
        found.add(type(decode(body)))

    look()
    assert found == {Answer, Failure}
