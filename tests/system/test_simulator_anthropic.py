"""The simulator's Anthropic face, used through Anthropic's own client; the Vertex edition of it too."""

import base64
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import anthropic
import pytest

from providers.simulator.process import SimulatorProcess
from tests.system.faces import BOX, CALLED, FLAGS, KEY, QUESTION, TIME, WEATHER, last_row, root

TOOLS: Any = [
    {"name": "get_weather", "description": "The weather", "input_schema": WEATHER},
    {"name": "get_time", "input_schema": TIME},
]
PIXEL = base64.b64encode(b"\x89PNG not much of a picture").decode()


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess.start(FLAGS) as running:
        yield running


@pytest.fixture(params=["anthropic", "vertex"])
def client(simulator: SimulatorProcess, request: pytest.FixtureRequest) -> Iterator[Any]:
    simulator.change(requests_per_minute=None)
    if request.param == "anthropic":
        with anthropic.Anthropic(base_url=f"{root(simulator)}/anthropic", api_key=KEY, max_retries=0) as one:
            yield one
    else:
        with anthropic.AnthropicVertex(
            base_url=f"{root(simulator)}/vertex/v1", access_token=KEY, project_id="p", region="eu", max_retries=0
        ) as other:
            yield other


@pytest.fixture
def direct(simulator: SimulatorProcess) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=f"{root(simulator)}/anthropic", api_key=KEY, max_retries=0) as one:
        yield one


def ask(client: Any, text: str = "What is rain?", model: str = "sim-small", **more: Any) -> Any:
    return client.messages.create(**{"model": model, "max_tokens": 4_096, "messages": said(text), **more})


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_a_question_is_answered_and_metered_as_the_bill_says(client: Any, simulator: SimulatorProcess) -> None:
    message = ask(client, system="cached:" + "y" * 33)
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert message.id.startswith("msg_")
    assert message.content[0].text.startswith("You asked: What is rain? Reference")
    row, usage = last_row(simulator), message.usage
    assert usage.cache_read_input_tokens == 10
    assert usage.input_tokens + usage.cache_read_input_tokens == row["prompt_tokens"]
    assert (usage.output_tokens, row["model"], row["billed"]) == (row["completion_tokens"], "sim-small", True)
    assert row["cost_nanousd"] > 0


def test_a_stream_adds_up_to_the_whole_answer(client: Any) -> None:
    whole = ask(client)
    with client.messages.stream(model="sim-small", max_tokens=4_096, messages=said("What is rain?")) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text == final.content[0].text
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", whole.usage.output_tokens)
    assert final.usage.input_tokens == whole.usage.input_tokens


def test_the_limits_end_an_answer_with_their_own_words(client: Any) -> None:
    cut = ask(client, max_tokens=3)
    assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 3)
    stopped = ask(client, "one two three", stop_sequences=["nothing", "two"])
    assert (stopped.content[0].text, stopped.stop_reason, stopped.stop_sequence) == (
        "You asked: one ",
        "stop_sequence",
        "two",
    )


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_at_once_and_their_results_answered(client: Any, stream: bool) -> None:
    if stream:
        arguments: Any = {"model": "sim-small", "max_tokens": 99, "messages": said(QUESTION), "tools": TOOLS}
        with client.messages.stream(**arguments) as running:
            message = running.get_final_message()
    else:
        message = ask(client, QUESTION, tools=TOOLS)
    assert message.stop_reason == "tool_use"
    assert [(block.name, block.input) for block in message.content] == CALLED
    turns: Any = [
        *said(QUESTION),
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]},
        {"role": "user", "content": results(message)},
    ]
    answer = ask(client, messages=turns, tools=TOOLS)
    assert "sunny noon" in answer.content[0].text


def results(message: Any) -> Any:
    calls = [block for block in message.content if block.type == "tool_use"]
    words = ["sunny", [{"type": "text", "text": "noon"}]]
    pairs = zip(calls, words[: len(calls)], strict=True)
    return [{"type": "tool_result", "tool_use_id": call.id, "content": word} for call, word in pairs]


def test_the_choice_of_tools_is_kept(client: Any) -> None:
    one = ask(client, QUESTION, tools=TOOLS, tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert [block.name for block in one.content] == ["get_weather"]
    named = ask(client, "Hello", tools=TOOLS, tool_choice={"type": "tool", "name": "get_time"})
    assert [block.name for block in named.content] == ["get_time"]
    none = ask(client, QUESTION, tools=TOOLS, tool_choice={"type": "none"})
    assert none.stop_reason == "end_turn"


def test_a_schema_is_kept(client: Any) -> None:
    message = ask(client, "A box", output_config={"format": {"type": "json_schema", "schema": BOX}})
    assert message.content[0].text == '{"name":"A box","size":"small"}'


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_are_signed_and_taken_back_only_with_their_signature(client: Any, stream: bool) -> None:
    thinking: Any = {"type": "enabled", "budget_tokens": 1_024}
    arguments: Any = {"model": "sim-small", "max_tokens": 4_096, "messages": said(QUESTION), "thinking": thinking}
    if stream:
        with client.messages.stream(**arguments, tools=TOOLS) as running:
            message = running.get_final_message()
    else:
        message = client.messages.create(**arguments, tools=TOOLS)
    thought = message.content[0]
    assert thought.type == "thinking"
    assert "I know what to say" in thought.thinking
    assert message.usage.output_tokens_details.thinking_tokens > 0
    blocks = [block.model_dump(exclude_none=True) for block in message.content]
    for changes, expected in (
        ({}, None),
        ({"signature": "Zm9yZ2Vk"}, "Invalid `signature` in `thinking` block"),
        ({"thinking": "Something else."}, "Invalid `signature` in `thinking` block"),
    ):
        answer = {"role": "assistant", "content": [{**blocks[0], **changes}, *blocks[1:]]}
        turns = [*said(QUESTION), answer, {"role": "user", "content": results(message)}]
        if expected is None:
            assert (
                "sunny noon" in client.messages.create(**arguments | {"messages": turns}, tools=TOOLS).content[1].text
            )
        else:
            with pytest.raises(anthropic.BadRequestError, match=re.escape(expected)):
                client.messages.create(**arguments | {"messages": turns}, tools=TOOLS)
    bare = [
        *said(QUESTION),
        {"role": "assistant", "content": blocks[1:]},
        {"role": "user", "content": results(message)},
    ]
    with pytest.raises(anthropic.BadRequestError, match="must start with a thinking block"):
        client.messages.create(**arguments | {"messages": bare}, tools=TOOLS)


def test_pictures_and_documents_are_counted(client: Any) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    document = {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}}
    bare = ask(client, messages=[{"role": "user", "content": [{"type": "text", "text": "See"}]}])
    full = ask(client, messages=[{"role": "user", "content": [picture, document, {"type": "text", "text": "See"}]}])
    assert full.usage.input_tokens == bare.usage.input_tokens + 2 * 85


def turn(*blocks: Any, role: str = "user") -> Any:
    return {"role": role, "content": list(blocks)}


TEXT = {"type": "text", "text": "Hi"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "get_time", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "noon"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "at least one message is required"),
    ({"messages": [turn(TEXT, role="assistant")]}, 'first message must use the "user" role'),
    ({"messages": [{"role": "system", "content": "x"}]}, "first message must use"),
    ({"messages": [turn({"type": "text", "text": ""})]}, "text content blocks must be non-empty"),
    ({"messages": [turn({"type": "text", "text": "  "})]}, "must contain non-whitespace text"),
    ({"messages": [turn()]}, "must have non-empty content"),
    ({"messages": [turn(TEXT), turn(USE, role="assistant")]}, "were found without `tool_result` blocks"),
    ({"messages": [turn(TEXT), turn(USE, role="assistant"), turn(TEXT)]}, "were found without `tool_result` blocks"),
    ({"messages": [turn(TEXT), turn(RESULT)]}, "unexpected `tool_use_id` found in `tool_result` blocks"),
    ({"messages": [turn(TEXT), turn(USE, role="assistant"), turn(TEXT, RESULT)]}, "must come first"),
    ({"messages": [turn(TEXT), {"role": "assistant", "content": "So "}]}, "cannot end with trailing whitespace"),
    ({"messages": [turn({"type": "input_audio"})]}, "does not match any of the expected tags"),
    ({"temperature": 1.5}, "range: 0..1"),
    ({"stop_sequences": ["\n"]}, "must contain non-whitespace"),
    ({"frequency_penalty": 1}, "frequency_penalty: Extra inputs are not permitted"),
    ({"metadata": {"trace": "x"}}, "metadata.trace: Extra inputs are not permitted"),
    ({"tools": [{"name": "two words", "input_schema": TIME}]}, "String should match pattern"),
    ({"tools": [{"name": "a", "input_schema": {}}]}, "input_schema.type: Field required"),
    ({"tool_choice": {"type": "auto"}}, "may only be specified while providing tools"),
    ({"thinking": {"type": "enabled", "budget_tokens": 5_000}}, "must be greater than"),
    ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "greater than or equal to 1024"),
    (
        {"thinking": {"type": "adaptive"}, "tools": TOOLS, "tool_choice": {"type": "any"}},
        "may not be enabled when tool_choice forces tool use",
    ),
    (
        {"output_config": {"format": {"type": "json_schema", "schema": WEATHER | {"additionalProperties": True}}}},
        "false",
    ),
    (
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "string", "maxLength": 4}}}},
        "property 'maxLength' is not supported",
    ),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_the_provider_refuses_is_refused_in_its_words(
    direct: anthropic.Anthropic, changes: dict[str, Any], words: str
) -> None:
    body = {"model": "sim-small", "max_tokens": 4_096, "messages": said("Hi"), **changes}
    with pytest.raises(anthropic.BadRequestError, match=re.escape(words)) as caught:
        direct.post("/v1/messages", body=body, cast_to=object)
    assert caught.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[index]


def test_the_mandatory_field_and_header_are_asked_for(direct: anthropic.Anthropic) -> None:
    body = {"model": "sim-small", "messages": said("Hi")}
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Field required"):
        direct.post("/v1/messages", body=body, cast_to=object)
    bare: Any = {"headers": {"anthropic-version": anthropic.Omit()}}
    with pytest.raises(anthropic.BadRequestError, match="anthropic-version: header is required"):
        direct.post("/v1/messages", body={**body, "max_tokens": 1}, cast_to=object, options=bare)


@pytest.mark.parametrize(
    ("model", "error", "kind", "words"),
    [
        ("sim-400", anthropic.BadRequestError, "invalid_request_error", "simulated"),
        ("sim-401", anthropic.AuthenticationError, "authentication_error", "invalid x-api-key"),
        ("sim-402", anthropic.APIStatusError, "billing_error", "simulated"),
        ("sim-403", anthropic.PermissionDeniedError, "permission_error", "simulated"),
        ("sim-404", anthropic.NotFoundError, "not_found_error", "simulated"),
        ("claude-9", anthropic.NotFoundError, "not_found_error", "claude-9"),
        ("sim-429", anthropic.RateLimitError, "rate_limit_error", "simulated"),
        ("sim-500", anthropic.InternalServerError, "api_error", "simulated"),
        ("sim-503", anthropic.InternalServerError, "api_error", "simulated"),
        ("sim-529", anthropic.InternalServerError, "overloaded_error", "Overloaded"),
        ("sim-context", anthropic.BadRequestError, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
        ("sim-filter", anthropic.BadRequestError, "invalid_request_error", "content filtering policy"),
    ],
)
def test_a_refusing_model_answers_the_provider_s_error(
    direct: anthropic.Anthropic, model: str, error: type[anthropic.APIStatusError], kind: str, words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        ask(direct, model=model)
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["request_id"] == caught.value.request_id
    expected = "7" if model in ("sim-429", "sim-503") else None
    assert caught.value.response.headers.get("retry-after") == expected


def test_a_stream_may_break_off_with_an_error_event(client: Any) -> None:
    words: list[str] = []
    with (
        pytest.raises(anthropic.APIStatusError, match="simulated"),
        client.messages.stream(model="sim-stream-error", max_tokens=99, messages=said("Hi")) as stream,
    ):
        words.extend(stream.text_stream)
    assert "".join(words).startswith("You asked")


def test_a_wrong_key_is_refused(simulator: SimulatorProcess) -> None:
    with (
        anthropic.Anthropic(base_url=f"{root(simulator)}/anthropic", api_key="wrong", max_retries=0) as client,
        pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"),
    ):
        ask(client)
    with anthropic.Anthropic(
        base_url=f"{root(simulator)}/anthropic", auth_token=KEY, api_key=None, max_retries=0
    ) as two:
        assert ask(two).stop_reason == "end_turn"


def test_the_rate_limit_is_told_with_the_time_of_its_reset(
    simulator: SimulatorProcess, direct: anthropic.Anthropic
) -> None:
    simulator.change(requests_per_minute=60, request_burst=1)
    first = direct.messages.with_raw_response.create(model="sim-small", max_tokens=9, messages=said("Hi"))
    assert first.headers["request-id"].startswith("req_")
    assert first.headers["anthropic-ratelimit-requests-limit"] == "60"
    assert datetime.fromisoformat(first.headers["anthropic-ratelimit-requests-reset"]).tzinfo is not None
    with pytest.raises(anthropic.RateLimitError) as caught:
        ask(direct)
    simulator.change(requests_per_minute=None)
    assert caught.value.response.headers["retry-after"] == "1"
