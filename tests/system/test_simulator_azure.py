"""The simulator's Azure face, used through OpenAI's own client for Azure, by deployment and at the newer paths."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from providers.simulator.process import SimulatorProcess
from tests.system.faces import FLAGS, KEY, TIME, last_row, root

TOOLS: Any = [{"type": "function", "function": {"name": "get_time", "parameters": TIME}}]


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess.start(FLAGS) as running:
        yield running


@pytest.fixture(params=["classic", "v1"])
def client(simulator: SimulatorProcess, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    if request.param == "classic":
        with openai.AzureOpenAI(
            azure_endpoint=f"{root(simulator)}/azure", api_key=KEY, api_version="2024-10-21", max_retries=0
        ) as one:
            yield one
    else:
        with openai.OpenAI(base_url=f"{root(simulator)}/azure/openai/v1", api_key=KEY, max_retries=0) as other:
            yield other


def ask(client: openai.OpenAI, text: str = "What is rain?", model: str = "sim-small", **more: Any) -> Any:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


def test_a_question_is_answered_with_the_filter_s_results(client: openai.OpenAI, simulator: SimulatorProcess) -> None:
    answer, row = ask(client), last_row(simulator)
    assert answer.choices[0].message.content.startswith("You asked: What is rain? Reference")
    assert answer.choices[0].content_filter_results["violence"]["severity"] == "safe"
    assert (answer.model, row["model"]) == ("sim-small", "sim-small")
    assert answer.usage.total_tokens == row["prompt_tokens"] + row["completion_tokens"]


def test_a_stream_begins_with_a_chunk_without_choices(client: openai.OpenAI) -> None:
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert (chunks[0].choices, chunks[0].id, chunks[-1].choices) == ([], "", [])
    texts = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(texts) == ask(client).choices[0].message.content
    assert chunks[-1].usage is not None


def test_tools_are_called(client: openai.OpenAI) -> None:
    answer = ask(client, "get time", tools=TOOLS)
    assert answer.choices[0].message.tool_calls[0].function.name == "get_time"


def test_embeddings_are_served(client: openai.OpenAI) -> None:
    assert len(client.embeddings.create(model="sim-embed", input="x", dimensions=64).data[0].embedding) == 64


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("sim-400", 400, "400"),
        ("sim-401", 401, "401"),
        ("gpt-9", 404, "DeploymentNotFound"),
        ("sim-429", 429, "429"),
        ("sim-500", 500, "500"),
        ("sim-context", 400, "context_length_exceeded"),
        ("sim-filter", 400, "content_filter"),
    ],
)
def test_a_refusing_deployment_answers_the_provider_s_error(
    client: openai.OpenAI, model: str, status: int, code: str
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, model=model)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert caught.value.response.headers["apim-request-id"]
    if model == "sim-filter":
        assert caught.value.body["innererror"]["code"] == "ResponsibleAIPolicyViolation"  # type: ignore[index]


def test_the_classic_paths_need_a_version_and_the_key_its_header(simulator: SimulatorProcess) -> None:
    address = f"{root(simulator)}/azure/openai/deployments/sim-small/chat/completions"
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    without = httpx.post(address, json=body, headers={"api-key": KEY}, trust_env=False)
    assert (without.status_code, without.json()["error"]) == (404, {"message": "Resource not found", "code": "404"})
    wrong = httpx.post(f"{address}?api-version=x", json=body, headers={"api-key": "wrong"}, trust_env=False)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "401")
    bearer = {"authorization": f"Bearer {KEY}"}
    assert httpx.post(f"{address}?api-version=x", json=body, headers=bearer, trust_env=False).status_code == 200
