"""Streams recorded from real providers, read by the dialect and held against the official client's own gathering."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from openai.lib.streaming._deltas import accumulate_delta

from providers.completion import Answer
from providers.failure import Failure
from tests.dialects.recordings import recorded_bodies
from tests.dialects.streams import Read, read, sse
from tests.dialects.test_recorded_answers import SPEAKERS


def events(file: Path) -> list[bytes]:
    return [line for line in file.read_bytes().splitlines() if line.strip()]


def is_chat(lines: list[bytes]) -> bool:
    first = orjson.loads(lines[0])
    return isinstance(first, dict) and "choices" in first


def reported_usage(lines: list[bytes]) -> dict[str, Any]:
    """The last usage of a recording, wherever it stands."""
    found: dict[str, Any] = {}
    for line in lines:
        data = orjson.loads(line)
        found = data.get("usage") or (data.get("x_groq") or {}).get("usage") or found
    return found


@pytest.mark.parametrize("include_usage", [False, True], ids=["plain", "with-usage"])
@pytest.mark.parametrize("file", recorded_bodies(*SPEAKERS, ending=".chunks.txt"))
def test_a_recorded_stream_satisfies_the_official_types(file: Path, include_usage: bool) -> None:
    lines = events(file)
    result = read(sse(*lines), include_usage=include_usage)
    if not is_chat(lines):
        assert isinstance(result.outcome, Failure)
        assert not result.raw
        return
    assert isinstance(result.outcome, Answer)
    assert result.outcome.finish_reason in {"stop", "tool_calls", "length"}
    usage = reported_usage(lines)
    assert result.outcome.usage is not None
    assert result.outcome.usage.prompt_tokens == usage["prompt_tokens"]
    if include_usage:
        assert result.chunks[-1]["usage"]["prompt_tokens"] == usage["prompt_tokens"]
    assert_gathers_to(result)


@pytest.mark.parametrize("file", recorded_bodies(*SPEAKERS, ending=".chunks.txt"))
def test_a_recorded_stream_reads_the_same_byte_by_byte_and_without_its_end_marker(file: Path) -> None:
    lines = events(file)[:80]
    whole = read(sse(*lines))
    body = sse(*lines)
    assert read(*(body[at : at + 1] for at in range(len(body)))).raw == whole.raw
    if len(events(file)) <= 80 and is_chat(lines):
        assert read(sse(*lines, done=False)).answer == whole.answer
    elif is_chat(lines):
        cut = read(sse(*lines, done=False))
        assert cut.failure.outcome_unknown
        assert cut.failure.error_class == "invalid_response"


@pytest.mark.parametrize("file", recorded_bodies(ending=".chunks.txt"))
def test_no_recorded_stream_of_any_dialect_crashes(file: Path) -> None:
    outcome = read(sse(*events(file))).outcome
    assert isinstance(outcome, Answer) == is_chat(events(file))


def assert_gathers_to(result: Read) -> None:
    """Put the chunks together as the official client does, by its own function, and compare with the whole answer."""
    gathered: dict[object, object] = {}
    deltas: list[Any] = [*result.deltas]
    for delta in deltas:
        gathered = accumulate_delta(gathered, delta)
    assert gathered["role"] == "assistant"
    assert (gathered.get("content") or "") == (result.message["content"] or "")
    assert gathered.get("reasoning_content", "") == result.message.get("reasoning_content", "")
    calls: Any = gathered.get("tool_calls") or []
    assert [{name: value for name, value in call.items() if name != "index"} for call in calls] == (
        result.message.get("tool_calls") or []
    )
