"""Messages become chat completions."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic.types import Message

from providers.catalogue.model_trait import ModelTrait
from providers.completion import Answer, Usage
from providers.dialects import Wish
from providers.dialects.json_tool import NAME
from providers.failure import ErrorClass, Failure
from tests.dialects.anthropic.messages_api import USAGE, answer, body_of, claude, decode, failure, message, said
from tests.dialects.recordings import recorded_bodies

HELLO = {"type": "text", "text": "Hello"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, "ä"]}}
THINKING = {"type": "thinking", "thinking": "Hm. ", "signature": "s"}
REDACTED = {"type": "redacted_thinking", "data": "d"}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"a":[1,"ä"]}'}}

MESSAGES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "text": ([HELLO], {"content": "Hello"}),
    "texts are joined": ([HELLO, {**HELLO, "text": ", you"}], {"content": "Hello, you"}),
    "a call": ([USE], {"content": None, "tool_calls": [CALL]}),
    "text and a call without arguments": (
        [HELLO, {**USE, "input": {}}],
        {"content": "Hello", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "{}"}}]},
    ),
    "thinking": (
        [THINKING, REDACTED, {**THINKING, "thinking": "Yes."}, HELLO],
        {
            "content": "Hello",
            "reasoning_content": "Hm. Yes.",
            "thinking_blocks": [THINKING, REDACTED, {**THINKING, "thinking": "Yes."}],
        },
    ),
    "thinking that is not shown": (
        [{**THINKING, "thinking": ""}, HELLO],
        {"content": "Hello", "reasoning_content": None, "thinking_blocks": [{**THINKING, "thinking": ""}]},
    ),
    "the provider's own tools are not the caller's": ([SEARCH, FOUND, HELLO], {"content": "Hello"}),
    "nothing": ([], {"content": None}),
}


@pytest.mark.parametrize(("blocks", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_blocks_become_a_message(blocks: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    body = message(*blocks)
    Message.model_validate(body)
    _, data = answer(body)
    assert data["choices"][0]["message"] == {"role": "assistant", "refusal": None, **expected}


def test_id_model_and_date_are_the_providers() -> None:
    outcome, data = answer(message(HELLO))
    assert (data["id"], data["model"], data["created"]) == ("msg_1", "claude-served", 1_795_348_800)
    assert (outcome.model, outcome.provider_request_id) == ("claude-served", "req_1")


ENDINGS = {
    "end_turn": ("stop", None),
    "stop_sequence": ("stop", None),
    "max_tokens": ("length", None),
    "tool_use": ("tool_calls", None),
    "pause_turn": ("stop", "pause_turn"),
    "refusal": ("content_filter", "refusal"),
    "model_context_window_exceeded": ("length", "model_context_window_exceeded"),
    "a_word_of_tomorrow": ("stop", "a_word_of_tomorrow"),
}


@pytest.mark.parametrize("word", ENDINGS)
def test_the_reason_to_stop_is_translated(word: str) -> None:
    blocks = [USE] if word == "tool_use" else [HELLO]
    outcome, data = answer(message(*blocks, stop_reason=word))
    assert (outcome.finish_reason, data["choices"][0].get("native_finish_reason")) == ENDINGS[word]


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Against the policy."}
    _, data = answer(message(stop_reason="refusal", stop_details=details))
    assert data["choices"][0]["message"]["refusal"] == "Against the policy."


COUNTS: dict[str, tuple[Any, Usage | None]] = {
    "cached input is part of the prompt": (USAGE, Usage(17, 20, 4, 3, 0)),
    "thinking is part of the completion": (
        {**USAGE, "output_tokens_details": {"thinking_tokens": 15}},
        Usage(17, 20, 4, 3, 15),
    ),
    "without a cache": ({"input_tokens": 5, "output_tokens": 2}, Usage(5, 2)),
    "null counts": ({**USAGE, "cache_read_input_tokens": None, "cache_creation_input_tokens": None}, Usage(10, 20)),
    "none": (None, None),
    "beyond belief": ({"input_tokens": -5, "output_tokens": 2}, None),
    "not numbers": ({"input_tokens": "many", "output_tokens": 2}, None),
}


@pytest.mark.parametrize(("reported", "usage"), COUNTS.values(), ids=COUNTS)
def test_usage_is_counted_as_openai_does(reported: Any, usage: Usage | None) -> None:
    outcome, data = answer(message(HELLO, usage=reported))
    assert outcome.usage == usage
    if usage is not None:
        assert data["usage"]["total_tokens"] == usage.prompt_tokens + usage.completion_tokens


@pytest.mark.parametrize(("tier", "known"), [("standard", "default"), ("priority", "priority"), ("batch", None)])
def test_the_tier_that_served_is_told(tier: str, known: str | None) -> None:
    outcome, _ = answer(message(HELLO, usage={**USAGE, "service_tier": tier}))
    assert outcome.service_tier == known


@pytest.mark.parametrize("stop_reason", ["tool_use", "max_tokens"])
def test_the_json_tools_input_is_the_answer(stop_reason: str) -> None:
    use = {**USE, "name": NAME}
    outcome, data = answer(message(use, stop_reason=stop_reason), wish=Wish(json_tool=NAME))
    assert data["choices"][0]["message"] == {"role": "assistant", "content": '{"a":[1,"ä"]}', "refusal": None}
    assert outcome.finish_reason == ("stop" if stop_reason == "tool_use" else "length")


BROKEN: dict[str, Any] = {
    "unfinished": message(HELLO, stop_reason=None),
    "without a reason to stop": message(HELLO, stop_reason=...),
    "without content": message(HELLO, content=...),
    "content of another shape": message(HELLO, content="Hello"),
    "a block without its text": message({"type": "text"}),
    "a call without a name": message({"type": "tool_use", "id": "t", "input": {}}, stop_reason="tool_use"),
    "a chat completion": {"id": "c", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]},
    "a number": 5,
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_what_is_no_whole_message_is_no_answer(body: Any) -> None:
    assert failure(body).error_class is ErrorClass.INVALID_RESPONSE


def test_an_answer_can_be_handed_back() -> None:
    _, data = answer(message(THINKING, REDACTED, HELLO, USE, stop_reason="tool_use"))
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "42"}
    body = body_of(said("Hi", data["choices"][0]["message"], result), claude(ModelTrait.THINKING_BUDGET))
    assert body["messages"][1] == {"role": "assistant", "content": [THINKING, REDACTED, HELLO, USE]}


@pytest.mark.parametrize("file", recorded_bodies("anthropic"))
def test_a_recorded_message_satisfies_the_official_types(file: Path) -> None:
    recorded = orjson.loads(file.read_bytes())
    if recorded.get("type") != "message":
        assert isinstance(decode(file.read_bytes()), Failure)
        return
    outcome, data = answer(file.read_bytes())
    said_back = data["choices"][0]["message"]
    texts = [block["text"] for block in recorded["content"] if block["type"] == "text"]
    uses = [block for block in recorded["content"] if block["type"] == "tool_use"]
    assert (said_back["content"] or "") == "".join(texts)
    assert [orjson.loads(call["function"]["arguments"]) for call in said_back.get("tool_calls", [])] == [
        use["input"] for use in uses
    ]
    counted = recorded["usage"]
    assert outcome.usage is not None
    assert outcome.usage.completion_tokens == counted["output_tokens"]
    assert outcome.usage.prompt_tokens == counted["input_tokens"] + outcome.usage.cached_tokens + (
        outcome.usage.cache_write_tokens
    )


@pytest.mark.parametrize("file", recorded_bodies())
def test_no_recorded_body_of_another_dialect_is_mistaken(file: Path) -> None:
    if file.parent.name != "anthropic" and orjson.loads(file.read_bytes()).__class__ is dict:
        is_message = orjson.loads(file.read_bytes()).get("type") == "message"
        assert isinstance(decode(file.read_bytes()), Answer) == is_message
