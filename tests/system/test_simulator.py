"""The simulator's good answers: completions, streams, tools, structured output, embeddings and models."""

import base64
import json
import struct
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest

from providers.simulator.process import SimulatorProcess

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}, "note": {}},
            "required": ["city", "days"],
        },
    },
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess.start(["--api-key", "sk-sim-test"]) as running:
        yield running


@pytest.fixture
async def client(simulator: SimulatorProcess) -> AsyncIterator[openai.AsyncOpenAI]:
    simulator.reset()
    async with openai.AsyncOpenAI(base_url=simulator.url, api_key="sk-sim-test", max_retries=0) as one:
        yield one


def ask(text: str) -> Any:
    return [{"role": "user", "content": text}]


async def test_the_same_question_gets_the_same_answer_and_another_one_another(client: openai.AsyncOpenAI) -> None:
    async def answer(text: str) -> str | None:
        completion = await client.chat.completions.create(model="sim-small", messages=ask(text))
        return completion.choices[0].message.content

    first, again, other = await answer("What is rain?"), await answer("What is rain?"), await answer("What is snow?")
    assert first == again
    assert first != other
    assert first is not None
    assert "What is rain?" in first


async def test_usage_follows_the_documented_token_rule(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(model="sim-small", messages=ask("x" * 41), n=2)
    texts = [choice.message.content or "" for choice in completion.choices]
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 3 + 4 + 11
    assert completion.usage.completion_tokens == sum((len(text) + 3) // 4 for text in texts)
    assert len(set(texts)) == 2
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 0


async def test_a_marked_first_message_counts_as_cached(client: openai.AsyncOpenAI) -> None:
    messages: Any = [{"role": "system", "content": "cached:" + "y" * 33}, *ask("Hello")]
    completion = await client.chat.completions.create(model="sim-large", messages=messages)
    assert completion.usage is not None
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 10


@pytest.mark.parametrize("bound", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_longer_than_allowed_is_cut_to_the_token(client: openai.AsyncOpenAI, bound: str) -> None:
    limits: Any = {bound: 3}
    completion = await client.chat.completions.create(model="sim-small", messages=ask("Tell me all."), **limits)
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 3


async def test_a_stop_word_ends_the_answer_before_it(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(model="sim-small", messages=ask("one two three"), stop=["two"])
    assert completion.choices[0].message.content == "You asked: one "
    assert completion.choices[0].finish_reason == "stop"


async def test_a_stream_carries_the_same_text_as_the_whole_answer(client: openai.AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="sim-small", messages=ask("Stream this, please."))
    stream = await client.chat.completions.create(
        model="sim-small",
        messages=ask("Stream this, please."),
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].usage is not None
    assert whole.usage is not None
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert len({chunk.id for chunk in chunks}) == 1


async def test_a_stream_without_the_option_has_no_usage(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="sim-small", messages=ask("Hi"), stream=True)
    chunks = [chunk async for chunk in stream]
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


@pytest.mark.parametrize(
    ("text", "choice", "called"),
    [
        ("Please get weather for Bern", "auto", True),
        ("Tell me a joke", "auto", False),
        ("Tell me a joke", "required", True),
        ("Tell me a joke", {"type": "function", "function": {"name": "get_weather"}}, True),
        ("Please use get_weather", "none", False),
    ],
)
async def test_a_tool_is_called_when_asked_for_or_forced(
    client: openai.AsyncOpenAI, text: str, choice: Any, called: bool
) -> None:
    completion = await client.chat.completions.create(
        model="sim-small", messages=ask(text), tools=[WEATHER], tool_choice=choice
    )
    message = completion.choices[0].message
    assert completion.choices[0].finish_reason == ("tool_calls" if called else "stop")
    assert (message.content is None) == called
    for call in message.tool_calls or []:
        assert call.type == "function"
        assert call.function.name == "get_weather"
        assert json.loads(call.function.arguments) == {"city": text, "days": 2}
    assert bool(message.tool_calls) == called


async def test_a_streamed_tool_call_adds_up_to_the_whole_one(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="sim-small", messages=ask("Bern"), tools=[WEATHER], tool_choice="required", stream=True
    )
    calls = [call async for chunk in stream for call in chunk.choices[0].delta.tool_calls or []]
    assert calls[0].function is not None
    assert (calls[0].id or "", calls[0].function.name) == (calls[0].id, "get_weather")
    arguments = "".join(call.function.arguments or "" for call in calls if call.function)
    assert json.loads(arguments) == {"city": "Bern", "days": 2}
    assert {call.index for call in calls} == {0}


async def test_a_tool_result_is_answered_in_words(client: openai.AsyncOpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages: Any = [
        *ask("Please get weather"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny, 21 degrees"},
    ]
    completion = await client.chat.completions.create(model="sim-small", messages=messages, tools=[WEATHER])
    assert "sunny, 21 degrees" in (completion.choices[0].message.content or "")


async def test_structured_output_satisfies_its_schema(client: openai.AsyncOpenAI) -> None:
    schema = {
        "$defs": {"size": {"enum": ["small", "large"]}},
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 4},
            "size": {"$ref": "#/$defs/size"},
            "score": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            "rank": {"type": "integer", "minimum": 3, "multipleOf": 5},
            "tags": {"type": "array", "items": {"type": "string", "minLength": 50}, "minItems": 2},
            "when": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            "ok": {"type": ["null", "boolean"]},
        },
        "required": ["name", "size", "score", "rank", "tags", "when", "ok"],
    }
    form: Any = {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema}}
    completion = await client.chat.completions.create(
        model="sim-small", messages=ask("A large box"), response_format=form
    )
    value = json.loads(completion.choices[0].message.content or "")
    assert len(value.pop("tags")[1]) == 50
    expected = {"name": "A la", "size": "small", "score": 0.5, "rank": 5, "when": "2026-01-01", "ok": True}
    assert value == expected


async def test_json_mode_answers_an_object(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model="sim-small", messages=ask("Any JSON"), response_format={"type": "json_object"}
    )
    assert "Any JSON" in json.loads(completion.choices[0].message.content or "")["answer"]


@pytest.mark.parametrize("inputs", ["a text", ["two", "texts"], [1, 2, 3], [[1, 2], [3]]])
async def test_embeddings_are_unit_vectors_the_same_in_both_encodings(client: openai.AsyncOpenAI, inputs: Any) -> None:
    plain = await client.embeddings.create(model="sim-embed", input=inputs, encoding_format="float", dimensions=64)
    packed = await client.embeddings.with_raw_response.create(
        model="sim-embed", input=inputs, encoding_format="base64", dimensions=64
    )
    texts = [row["embedding"] for row in json.loads(packed.content)["data"]]
    assert len(texts) == len(plain.data)
    for row, text in zip(plain.data, texts, strict=True):
        assert struct.unpack("<64f", base64.b64decode(text)) == pytest.approx(row.embedding, rel=1e-6)
        assert sum(value * value for value in row.embedding) == pytest.approx(1.0)


async def test_embedding_tokens_are_counted_for_texts_and_token_lists(client: openai.AsyncOpenAI) -> None:
    texts = await client.embeddings.create(model="sim-embed", input=["12345", "1"])
    numbers = await client.embeddings.create(model="sim-embed", input=[[7, 8, 9], [1]])
    assert (texts.usage.prompt_tokens, numbers.usage.prompt_tokens) == (3, 4)
    assert len(texts.data[0].embedding) == 256


async def test_the_models_are_listed_and_found_one_by_one(client: openai.AsyncOpenAI) -> None:
    names = [model.id async for model in client.models.list()]
    assert {"sim-small", "sim-large", "sim-embed", "sim-flaky-429"} <= set(names)
    assert (await client.models.retrieve("sim-drip")).id == "sim-drip"
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        await client.models.retrieve("gpt-9")


async def test_a_wrong_key_is_refused_in_openai_s_shape(simulator: SimulatorProcess) -> None:
    async with openai.AsyncOpenAI(base_url=simulator.url, api_key="sk-wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.chat.completions.create(model="sim-small", messages=ask("Hi"))
        assert caught.value.code == "invalid_api_key"
