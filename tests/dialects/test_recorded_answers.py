"""Answers recorded from real providers, read by the dialect and held against the official client's types."""

from pathlib import Path

import orjson
import pytest
from openai.types.chat import ChatCompletion

from providers.completion import Answer
from providers.failure import ErrorClass, Failure
from tests.dialects.recordings import is_chat_completion, recorded_bodies
from tests.dialects.wire import answer, decode

SPEAKERS = (
    "openai",
    "azure",
    "groq",
    "mistral",
    "deepseek",
    "xai",
    "alibaba",
    "moonshotai",
    "perplexity",
    "openai-compatible",
)


@pytest.mark.parametrize("file", recorded_bodies(*SPEAKERS))
def test_a_recorded_chat_completion_satisfies_the_official_types(file: Path) -> None:
    body = file.read_bytes()
    if not is_chat_completion(body):
        assert isinstance(decode(body), Failure)
        return
    outcome, data = answer(body)
    ChatCompletion.model_validate(data)
    assert outcome.finish_reason in {"stop", "tool_calls", "length"}
    assert outcome.model == orjson.loads(body)["model"]
    recorded = orjson.loads(body)["usage"]
    assert outcome.usage is not None
    assert outcome.usage.prompt_tokens == recorded["prompt_tokens"]
    assert outcome.usage.prompt_tokens + outcome.usage.completion_tokens == recorded["total_tokens"]
    for before, after in zip(orjson.loads(body)["choices"], data["choices"], strict=True):
        if isinstance(before["message"].get("content"), str):
            assert after["message"]["content"] == before["message"]["content"]


@pytest.mark.parametrize("file", recorded_bodies())
def test_no_recorded_body_of_any_dialect_is_mistaken_or_crashes(file: Path) -> None:
    body = file.read_bytes()
    outcome = decode(body)
    assert isinstance(outcome, Answer) == (is_chat_completion(body) and "error" not in orjson.loads(body))


@pytest.mark.parametrize("file", recorded_bodies("google"))
def test_a_recorded_refusal_names_its_delay(file: Path) -> None:
    if "429" not in file.name:
        return
    outcome = decode(file.read_bytes(), status=429)
    assert isinstance(outcome, Failure)
    assert outcome.error_class is ErrorClass.RATE_LIMIT
    assert outcome.retry_after_ms is not None
    assert outcome.retry_after_ms > 0
