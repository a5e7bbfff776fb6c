"""Answers and streams of the ollama dialect, held against OpenAI's own types."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ollama import ChatResponse, EmbedResponse
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

from providers.completion import Answer, Endpoint, Usage
from providers.failure import ErrorClass as E
from providers.failure import Failure
from tests.dialects import streams
from tests.dialects.streams import Read
from tests.dialects.test_any_bytes import CALM, COUNTS, HEADERS, TEXTS, VALUES, maybe
from tests.dialects.test_recorded_streams import assert_gathers_to
from tests.dialects.wire import decode

COUNTED = {"total_duration": 9, "prompt_eval_count": 12, "prompt_eval_duration": 5, "eval_count": 9, "eval_duration": 4}
HEAD = {"model": "llama3:8b", "created_at": "2026-11-22T12:00:00.123456789Z"}
ENDED = {"done": True, "done_reason": "stop", **COUNTED}
CALL = {"function": {"index": 0, "name": "look", "arguments": {"at": 1}}}
SPOKEN: dict[str, Any] = {**HEAD, "message": {"role": "assistant", "content": "Hello"}, **ENDED}


def answered(body: Any, **kwargs: Any) -> tuple[Answer, dict[str, Any]]:
    outcome = decode(body, dialect="ollama", **kwargs)
    assert isinstance(outcome, Answer), outcome
    data: dict[str, Any] = orjson.loads(outcome.body)
    return outcome, data


def chosen(body: dict[str, Any]) -> dict[str, Any]:
    """The one choice of an answer, which is one to Ollama's client and to OpenAI's."""
    ChatResponse.model_validate(body)
    data = answered(body)[1]
    ChatCompletion.model_validate(data)
    choice: dict[str, Any] = data["choices"][0]
    return choice


def failed(body: Any, **kwargs: Any) -> Failure:
    outcome = decode(body, dialect="ollama", **kwargs)
    assert isinstance(outcome, Failure), outcome
    return outcome


def line(content: str = "", *, done: bool = False, **said: Any) -> dict[str, Any]:
    """One line of a stream; the last one has the counts."""
    return {
        **HEAD,
        "message": {"role": "assistant", "content": content, **said},
        **(ENDED if done else {"done": False}),
    }


def body(*lines: Any) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in lines)


def read(*pieces: bytes, **kwargs: Any) -> Read:
    return streams.read(*pieces, dialect="ollama", **kwargs)


def test_an_answer_has_text_thinking_model_and_usage() -> None:
    choice = chosen({**SPOKEN, "message": {"role": "assistant", "content": "Hello", "thinking": "Hm."}})
    assert (choice["message"]["content"], choice["message"]["reasoning_content"]) == ("Hello", "Hm.")
    outcome, data = answered(SPOKEN)
    assert (outcome.model, outcome.usage, outcome.finish_reason) == ("llama3:8b", Usage(12, 9), "stop")
    assert data["usage"] == {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}
    assert data["id"].startswith("chatcmpl-")


def test_calls_get_ids_where_they_have_none_and_end_with_their_own_word() -> None:
    calls = [CALL, {"id": "call_own", "function": {"name": "now", "arguments": {}}}]
    choice = chosen({**SPOKEN, "message": {"role": "assistant", "content": "", "tool_calls": calls}})
    first, second = choice["message"]["tool_calls"]
    assert first["id"].startswith("call_")
    assert first["function"] == {"name": "look", "arguments": '{"at":1}'}
    assert second == {"id": "call_own", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)


@pytest.mark.parametrize(
    ("reason", "expected"), [("stop", "stop"), ("length", "length"), (None, "stop"), ("something", "stop")]
)
def test_every_ending_has_its_word(reason: str | None, expected: str) -> None:
    assert chosen({**SPOKEN, "done_reason": reason})["finish_reason"] == expected


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_a_server_that_only_moved_its_model_has_not_answered(reason: str) -> None:
    nothing = {**HEAD, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": reason}
    for failure in (failed(nothing), read(body(nothing)).failure):
        assert (failure.error_class, failure.code) == (E.OVERLOADED, reason)
        assert reason in failure.message


def test_an_answer_that_is_not_done_is_no_answer() -> None:
    assert failed({**SPOKEN, "done": False}).error_class is E.INVALID_RESPONSE


def test_log_probabilities_keep_their_alternatives() -> None:
    token = {"token": "Hello", "logprob": -0.5, "bytes": [72]}
    data = {**SPOKEN, "logprobs": [{**token, "top_logprobs": [token]}, token]}
    content = chosen(data)["logprobs"]["content"]
    assert content == [{**token, "top_logprobs": [token]}, {**token, "top_logprobs": []}]
    result = read(body({**line("Hello"), "logprobs": [token]}, line(done=True)))
    assert result.answer["choices"][0]["logprobs"]["content"] == [{**token, "top_logprobs": []}]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"prompt_eval_count": 12, "eval_count": 9}, Usage(12, 9)),
        ({"prompt_eval_count": 12}, Usage(12)),
        ({"eval_count": 9}, None),
        ({}, None),
        ({"prompt_eval_count": -1}, None),
    ],
)
def test_usage_is_unknown_where_the_input_was_not_counted(counts: dict[str, int], expected: Usage | None) -> None:
    bare = {**HEAD, "message": SPOKEN["message"], "done": True}
    assert answered({**bare, **counts})[0].usage == expected


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "registry.ollama.ai/library/gemma does not support tools", E.BAD_REQUEST),
        (400, "the prompt is too long: 9000, model maximum context length: 4096", E.CONTEXT_LENGTH),
        (401, "unauthorized", E.AUTH),
        (404, "model 'x' not found", E.NOT_FOUND),
        (500, "llama runner process has terminated: exit status 2", E.SERVER_ERROR),
        (503, "server busy, please try again. maximum pending requests exceeded", E.OVERLOADED),
    ],
)
def test_every_refusal_has_its_class(status: int, message: str, expected: E) -> None:
    failure = failed({"error": message}, status=status)
    assert (failure.error_class, failure.message, failure.http_status) == (expected, message, status)


def test_embeddings_are_listed_in_order() -> None:
    data = {"model": "embed", "embeddings": [[0.5, 1.0], [2.0, -1.0]], "total_duration": 3, "prompt_eval_count": 8}
    EmbedResponse.model_validate(data)
    outcome, written = answered(data, endpoint=Endpoint.EMBEDDINGS)
    CreateEmbeddingResponse.model_validate(written)
    assert [(item["index"], item["embedding"]) for item in written["data"]] == [(0, [0.5, 1.0]), (1, [2.0, -1.0])]
    assert (outcome.model, outcome.usage) == ("embed", Usage(8))


TALK = body(
    line(thinking="Hm"),
    line(thinking="."),
    line("Hel"),
    line("lo"),
    line(tool_calls=[CALL]),
    line(tool_calls=[{"id": "own", "function": {"name": "now", "arguments": {}}}, CALL]),
    line(done=True),
)


def test_a_whole_stream_has_thinking_text_calls_ending_and_usage() -> None:
    result = read(TALK, include_usage=True)
    message = result.message
    assert (message["content"], message["reasoning_content"]) == ("Hello", "Hm.")
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["look", "now", "look"]
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == ['{"at":1}', "{}", '{"at":1}']
    assert message["tool_calls"][1]["id"] == "own"
    assert len({call["id"] for call in message["tool_calls"]}) == 3
    assert isinstance(result.outcome, Answer)
    assert (result.outcome.finish_reason, result.outcome.usage) == ("tool_calls", Usage(12, 9))
    assert result.outcome.model == "llama3:8b"
    assert result.chunks[-1]["usage"]["total_tokens"] == 21
    assert_gathers_to(result)


def test_a_stream_is_read_alike_without_its_last_line_break_and_with_others() -> None:
    whole = read(TALK)
    assert read(TALK.removesuffix(b"\n")).raw == whole.raw
    assert read(TALK.replace(b"\n", b"\r\n\n")).raw == whole.raw
    assert read(*(TALK[at : at + 1] for at in range(len(TALK)))).raw == whole.raw


@settings(CALM, max_examples=40)
@given(st.lists(st.integers(0, len(TALK)), max_size=6))
def test_where_a_stream_is_cut_into_pieces_changes_nothing(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(TALK)]
    assert read(*(TALK[start:stop] for start, stop in pairwise(places))).raw == read(TALK).raw


def test_a_stream_that_breaks_off_is_never_whole() -> None:
    for at in range(0, len(TALK) - 1, 7):
        failure = read(TALK[:at]).failure
        assert failure.error_class is E.INVALID_RESPONSE
        assert failure.outcome_unknown


def test_an_error_in_the_middle_ends_the_stream() -> None:
    failure = read(
        body(line("Hel"), {"error": "an error was encountered while running the model"}, line(done=True))
    ).failure
    assert (failure.error_class, failure.outcome_unknown) == (E.SERVER_ERROR, True)
    assert failure.message == "an error was encountered while running the model"


@pytest.mark.parametrize(
    "wrong", [b"[1]", b"7", b"data: {}", b'{"choices": []}', b'{"message": 3}', b'{"message": {"tool_calls": [1]}}']
)
def test_lines_that_ollama_would_not_send_end_the_stream(wrong: bytes) -> None:
    assert read(body(line("Hel")) + wrong + b"\n").failure.error_class is E.INVALID_RESPONSE


def test_a_line_without_an_end_counts_against_the_limit_of_bytes() -> None:
    failure = read(b"x" * 600, b"x" * 600, max_response_bytes=1_000).failure
    assert "1000 bytes" in failure.message


CALLS = st.fixed_dictionaries(
    {"function": maybe(st.fixed_dictionaries({"name": maybe(TEXTS)}, optional={"arguments": VALUES}))},
    optional={"id": maybe(TEXTS)},
)
SAID = st.fixed_dictionaries(
    {},
    optional={
        "content": maybe(TEXTS),
        "thinking": maybe(TEXTS),
        "tool_calls": maybe(st.lists(maybe(CALLS), max_size=2)),
    },
)
LINES = st.fixed_dictionaries(
    {"message": maybe(SAID), "done": maybe(st.booleans())},
    optional={
        "model": maybe(TEXTS),
        "done_reason": maybe(st.sampled_from(["stop", "length", "load"])),
        "prompt_eval_count": COUNTS,
        "eval_count": COUNTS,
        "logprobs": VALUES,
        "error": VALUES,
    },
)


@settings(CALM, max_examples=200)
@given(LINES, st.sampled_from([200, 200, 404, 500]), HEADERS)
def test_whatever_passes_as_an_answer_satisfies_the_official_types(
    said: dict[str, Any], status: int, headers: dict[str, str]
) -> None:
    outcome = decode(said, status=status, headers=headers, dialect="ollama")
    if isinstance(outcome, Answer):
        ChatCompletion.model_validate(orjson.loads(outcome.body))


@settings(CALM, max_examples=200)
@given(st.lists(LINES, max_size=5))
def test_no_lines_make_reading_raise_and_what_is_handed_on_satisfies_the_official_types(lines: list[Any]) -> None:
    whole = body(line("Hi"), *lines, line(done=True))
    result = read(whole, include_usage=True)
    assert read(*(whole[at : at + 9] for at in range(0, len(whole), 9)), include_usage=True).raw == result.raw


@settings(CALM, max_examples=100)
@given(st.binary(max_size=100) | VALUES.map(orjson.dumps), st.sampled_from(Endpoint))
def test_no_bytes_make_decoding_raise(content: bytes, endpoint: Endpoint) -> None:
    assert isinstance(decode(content, endpoint=endpoint, dialect="ollama"), Answer | Failure)
    read(content)
