"""The simulator's Ollama faces, used through Ollama's own client."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import ollama
import pytest

from providers.simulator.process import SimulatorProcess
from tests.system.faces import BOX, CALLED, FLAGS, KEY, QUESTION, TIME, WEATHER, last_row, root

TOOLS: Any = [
    {"type": "function", "function": {"name": "get_weather", "description": "The weather", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "get_time", "description": "The time", "parameters": TIME}},
]


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess.start(FLAGS) as running:
        yield running


@pytest.fixture
def client(simulator: SimulatorProcess) -> Iterator[ollama.Client]:
    with connect(simulator) as one:
        yield one


def connect(simulator: SimulatorProcess, key: str = KEY) -> ollama.Client:
    return ollama.Client(host=f"{root(simulator)}/ollama", headers={"authorization": f"Bearer {key}"}, trust_env=False)


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


def ask(client: ollama.Client, text: str = "What is rain?", model: str = "sim-small", **more: Any) -> Any:
    arguments: Any = {"model": model, "messages": said(text), **more}
    return client.chat(**arguments)


def test_a_question_is_answered_and_metered_as_the_bill_says(
    client: ollama.Client, simulator: SimulatorProcess
) -> None:
    answer, row = ask(client), last_row(simulator)
    assert answer.message.content.startswith("You asked: What is rain? Reference")
    assert (answer.done, answer.done_reason, answer.model) == (True, "stop", "sim-small")
    assert (answer.prompt_eval_count, answer.eval_count) == (row["prompt_tokens"], row["completion_tokens"])


def test_a_stream_adds_up_to_the_whole_answer(client: ollama.Client) -> None:
    whole, lines = ask(client), list(ask(client, stream=True))
    assert "".join(line.message.content for line in lines) == whole.message.content
    assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True]
    assert lines[-1].eval_count == whole.eval_count


def test_a_request_that_does_not_say_gets_a_stream_of_lines(simulator: SimulatorProcess) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    body = {"model": "sim-small", "messages": said("Hi")}
    reply = httpx.post(f"{root(simulator)}/ollama/api/chat", json=body, headers=headers, trust_env=False)
    assert reply.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert len(lines) > 2
    assert lines[-1]["done_reason"] == "stop"


def test_the_limits_end_an_answer(client: ollama.Client) -> None:
    assert ask(client, options={"num_predict": 3}).done_reason == "length"
    assert ask(client, "one two three", options={"stop": ["two"]}).message.content == "You asked: one "
    assert ask(client, options={"num_predict": -1}).done_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_at_once_and_their_results_answered(client: ollama.Client, stream: bool) -> None:
    answers = ask(client, QUESTION, tools=TOOLS, stream=True) if stream else [ask(client, QUESTION, tools=TOOLS)]
    calls = [call for answer in answers for call in answer.message.tool_calls or []]
    found = [
        (call.function.name, call.function.arguments | {"days": 2} if call.function.arguments else {}) for call in calls
    ]
    assert found == CALLED  # the client leaves `minimum` out of the schema, so the days differ
    turns = [
        *said(QUESTION),
        {"role": "assistant", "content": "", "tool_calls": [call.model_dump() for call in calls]},
        {"role": "tool", "tool_name": "get_weather", "content": "sunny"},
        {"role": "tool", "tool_name": "get_time", "content": "noon"},
    ]
    assert "sunny noon" in ask(client, messages=turns, tools=TOOLS).message.content


def test_a_schema_is_kept(client: ollama.Client) -> None:
    assert ask(client, "A box", format=BOX).message.content == '{"name":"A box","size":"small"}'
    assert "answer" in json.loads(ask(client, format="json").message.content)


@pytest.mark.parametrize("think", [True, "low"])
def test_thoughts_are_told_apart(client: ollama.Client, think: Any) -> None:
    answer = ask(client, think=think)
    assert "I know what to say" in answer.message.thinking
    lines = list(ask(client, think=think, stream=True))
    assert "".join(line.message.thinking or "" for line in lines) == answer.message.thinking
    assert ask(client, think=False).message.thinking is None


def test_pictures_are_counted(client: ollama.Client) -> None:
    picture = base64.b64encode(b"\x89PNG not much of a picture").decode()
    bare = ask(client)
    full = ask(client, messages=[{"role": "user", "content": "What is rain?", "images": [picture]}])
    assert full.prompt_eval_count == bare.prompt_eval_count + 85


def test_embeddings_are_unit_vectors(client: ollama.Client, simulator: SimulatorProcess) -> None:
    answer = client.embed(model="sim-embed", input=["12345", "x"], dimensions=64)
    assert [len(row) for row in answer.embeddings] == [64, 64]
    assert answer.prompt_eval_count == last_row(simulator)["prompt_tokens"] == 3


STRING_ARGUMENTS = [{"function": {"name": "f", "arguments": "{}"}}]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"messages": [{"role": "developer", "content": "x"}]}, "invalid role"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "cannot unmarshal array"),
        ({"messages": [{"role": "user", "content": "x", "images": ["a picture"]}]}, "illegal base64"),
        (
            {"messages": [{"role": "assistant", "content": "", "tool_calls": STRING_ARGUMENTS}]},
            "cannot unmarshal string",
        ),
        ({"format": "yaml"}, "invalid format"),
        ({"think": "hard"}, "invalid think value"),
    ],
)
def test_what_the_provider_refuses_is_refused(simulator: SimulatorProcess, changes: dict[str, Any], words: str) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    body = {"model": "sim-small", "messages": said("Hi"), **changes}
    reply = httpx.post(f"{root(simulator)}/ollama/api/chat", json=body, headers=headers, trust_env=False)
    assert reply.status_code == 400
    assert words in reply.json()["error"]


@pytest.mark.parametrize(
    ("model", "status", "words"),
    [
        ("sim-400", 400, "simulated"),
        ("llama9", 404, "llama9"),
        ("sim-429", 429, "simulated"),
        ("sim-500", 500, "simulated"),
        ("sim-503", 503, "simulated"),
        ("sim-context", 400, "exceeds the available context size"),
    ],
)
def test_a_refusing_model_answers_the_provider_s_error(
    client: ollama.Client, model: str, status: int, words: str
) -> None:
    with pytest.raises(ollama.ResponseError, match=words) as caught:
        ask(client, model=model)
    assert caught.value.status_code == status


def test_a_stream_may_break_off_with_an_error_line(client: ollama.Client) -> None:
    lines: list[Any] = []
    with pytest.raises(ollama.ResponseError, match="simulated"):
        lines.extend(ask(client, model="sim-stream-error", stream=True))


def test_a_wrong_key_is_refused(simulator: SimulatorProcess) -> None:
    with connect(simulator, "wrong") as client, pytest.raises(ollama.ResponseError) as caught:
        ask(client)
    assert caught.value.status_code == 401
