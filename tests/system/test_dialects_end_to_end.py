"""A whole Laneway whose providers speak every dialect: one request of OpenAI's passes from one to the next."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from providers.simulator.process import SimulatorProcess
from tests.laneway_up import LanewayUp
from tests.system.faces import BOX, CALLED, KEY, QUESTION, TIME, WEATHER, root

TOOLS: Any = [
    {"type": "function", "function": {"name": "get_weather", "description": "The weather", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "get_time", "parameters": TIME}},
]
GOOGLE = "/vertex/v1/projects/p/locations/eu/publishers"
PROVIDERS: dict[str, dict[str, Any]] = {
    "openai": {"base_url": "/v1"},
    "anthropic": {"base_url": "/anthropic/v1"},
    "gemini": {"base_url": "/gemini/v1beta"},
    "bedrock": {
        "base_url": "/bedrock",
        "region": "eu-west-1",
        "settings": {"access_key_id": "AKIASIMULATED", "secret_access_key": KEY},
    },
    "cohere": {"base_url": "/cohere/v2"},
    "ollama": {"base_url": "/ollama/api"},
    "azure": {"base_url": "/azure", "api_version": "2024-10-21"},
    "vertex": {"base_url": f"{GOOGLE}/google", "project": "p", "location": "eu"},
    "vertex_anthropic": {"base_url": f"{GOOGLE}/anthropic", "project": "p", "location": "eu"},
}
BASE_MODELS = {
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
    "bedrock": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "cohere": "command-a-reasoning-08-2025",
    "ollama": "gpt-oss:20b",
    "vertex": "gemini-2.5-flash",
    "vertex_anthropic": "claude-sonnet-4-5@20250929",
}
"""What stands behind the deployments, so that what these models take is known."""
FAILING = {"openai": "sim-500", "anthropic": "sim-529", "gemini": "sim-503", "bedrock": "sim-500", "cohere": "sim-503"}
"""How each of the five fails, in the order in which they are tried; none asks for a pause, which others would feel."""
LIMITED = ("anthropic", "gemini", "vertex", "azure")
"""Those that say how long to wait, each in its own way."""
PRICE = {"input": "0.15", "output": "0.60"}

each_provider = pytest.mark.parametrize("provider", PROVIDERS)
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess.start(["--api-key", KEY, "--retry-after-s", "0"]) as running:
        yield running


@pytest.fixture(scope="module")
def client(simulator: SimulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    folder = tmp_path_factory.mktemp("dialects")
    config = folder / "laneway.yaml"
    config.write_text(json.dumps(configuration(root(simulator))))  # JSON is YAML
    with LanewayUp(folder / "data", "--config", str(config)) as up:
        up.wait_ready()
        with openai.OpenAI(base_url=f"{up.url}/v1", api_key=up.master_key, max_retries=0, timeout=60) as one:
            yield one


def configuration(address: str) -> dict[str, Any]:
    """One public name for each provider: the five that fail, without it, and it at the end."""
    providers = {
        name: {**({} if "settings" in fields else {"api_key": KEY}), **fields, "base_url": address + fields["base_url"]}
        for name, fields in PROVIDERS.items()
    }
    models = {}
    for name in PROVIDERS:
        chain = [deployment(each, model) for each, model in FAILING.items() if each != name]
        models[f"to-{name}"] = {"deployments": [*chain, deployment(name, "sim-small")]}
    limited = [deployment(name, "sim-429") for name in LIMITED]
    models["limited"] = {"deployments": [*limited, deployment("bedrock", "sim-small")]}
    routing = {"retry_delay": "50ms", "max_retry_delay": "300ms", "tries_per_provider": 1, "max_attempts": 6}
    never = {"calls": 100_000, "consecutive": 100_000}
    return {"providers": providers, "models": models, "routing": routing | {"breaker": never}}


def deployment(provider: str, model: str) -> dict[str, Any]:
    known = {"base_model": BASE_MODELS[provider]} if provider in BASE_MODELS else {}
    return {"use": f"{provider}/{model}", "price": PRICE, **known}


class Passage:
    """One request on its way through all the providers, and the checks of what its receipt and the bill say."""

    def __init__(self, client: openai.OpenAI, simulator: SimulatorProcess, provider: str) -> None:
        self._client = client
        self._simulator = simulator
        self._provider = provider

    def answer(self, messages: Any, *, stream: bool, **more: Any) -> Any:
        """Ask, and return the message that came through."""
        self._simulator.reset()
        arguments: Any = {"model": f"to-{self._provider}", "messages": messages, **more}
        message = self._streamed(arguments) if stream else self._whole(arguments)
        self._check_bill()
        return message

    def _whole(self, arguments: Any) -> Any:
        raw = self._client.chat.completions.with_raw_response.create(**arguments)
        completion = raw.parse()
        failing = [name for name in FAILING if name != self._provider]
        assert raw.headers["x-laneway-provider"] == self._provider
        assert raw.headers["x-laneway-attempts"] == str(len(failing) + 1)
        (billed,) = [row for row in self._simulator.bill() if row["billed"]]
        assert float(raw.headers["x-laneway-cost-usd"]) == pytest.approx(billed["cost_nanousd"] / 1e9, abs=1e-9)
        assert completion.usage.prompt_tokens == billed["prompt_tokens"]
        assert completion.usage.completion_tokens == billed["completion_tokens"]
        return completion.choices[0].message.model_dump(exclude_none=True)

    def _streamed(self, arguments: Any) -> Any:
        options: Any = {"stream": True, "stream_options": {"include_usage": True}}
        message: Any = {"role": "assistant", "content": "", "tool_calls": []}
        usage = None
        for chunk in self._client.chat.completions.create(**arguments, **options):
            usage = chunk.usage or usage
            for choice in chunk.choices:
                gather(message, choice.delta.model_dump(exclude_none=True))
        (billed,) = [row for row in self._simulator.bill() if row["billed"]]
        assert usage is not None
        assert (usage.prompt_tokens, usage.completion_tokens) == (billed["prompt_tokens"], billed["completion_tokens"])
        return {name: value for name, value in message.items() if value}

    def _check_bill(self) -> None:
        """Every provider was asked once, in order, each time with a name of its own, and one was paid."""
        rows = list(self._simulator.bill())
        failing = [model for name, model in FAILING.items() if name != self._provider]
        assert [row["model"] for row in rows] == [*failing, "sim-small"]
        assert [row["billed"] for row in rows] == [False] * len(failing) + [True]
        assert len({row["attempt"] for row in rows}) == len(rows)


def gather(message: Any, delta: Any) -> None:
    """Add one delta to a message, as a caller does who keeps what is new to him too."""
    message["content"] += delta.get("content", "")
    for name in ("thinking_blocks",):
        message.setdefault(name, []).extend(delta.get(name, ()))
    for call in delta.get("tool_calls", ()):
        if len(message["tool_calls"]) <= call["index"]:
            message["tool_calls"].append({**call, "function": {"arguments": "", **call["function"]}})
        else:
            message["tool_calls"][call["index"]]["function"]["arguments"] += call["function"].get("arguments", "")


@pytest.fixture
def passage(client: openai.OpenAI, simulator: SimulatorProcess, provider: str) -> Passage:
    return Passage(client, simulator, provider)


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


@both_ways
@each_provider
def test_a_question_passes_through_every_shape(passage: Passage, stream: bool) -> None:
    messages = [{"role": "developer", "content": "Be brief."}, *said("What is rain?")]
    message = passage.answer(messages, stream=stream, temperature=0.5, max_tokens=200)
    assert message["content"].startswith("You asked: What is rain? Reference")


@both_ways
@each_provider
def test_tools_are_called_and_answered_whoever_serves(passage: Passage, stream: bool) -> None:
    first = passage.answer(said(QUESTION), stream=stream, tools=TOOLS)
    functions = [call["function"] for call in first["tool_calls"]]
    assert [(function["name"], json.loads(function["arguments"])) for function in functions] == CALLED
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": word}
        for call, word in zip(first["tool_calls"], ("sunny", "noon"), strict=True)
    ]
    final = passage.answer([*said(QUESTION), first, *results], stream=stream, tools=TOOLS)
    assert "sunny noon" in final["content"]


@both_ways
@each_provider
def test_a_schema_is_kept_whoever_serves(passage: Passage, stream: bool) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "box", "schema": BOX, "strict": True}}
    message = passage.answer(said("A box"), stream=stream, response_format=form)
    assert json.loads(message["content"]) == {"name": "A box", "size": "small"}
    assert "tool_calls" not in message


@pytest.mark.parametrize("provider", BASE_MODELS)
def test_thoughts_of_one_provider_do_not_hinder_the_next(passage: Passage, client: openai.OpenAI) -> None:
    """A tool loop that one provider began with a signed thought goes on at another that did not sign it."""
    more: Any = {"tools": TOOLS, "reasoning_effort": "low", "max_tokens": 9_000}
    first = passage.answer(said(QUESTION), stream=False, **more)
    assert "I know what to say" in first["reasoning_content"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "so it is"} for call in first["tool_calls"]]
    turns: Any = [*said(QUESTION), first, *results]
    for other in BASE_MODELS:
        answer = client.chat.completions.create(model=f"to-{other}", messages=turns, **more)
        assert "so it is" in (answer.choices[0].message.content or ""), other


def test_rate_limits_of_every_shape_are_left_behind(client: openai.OpenAI, simulator: SimulatorProcess) -> None:
    """The last test: those who ask for a pause are left alone for that long."""
    simulator.change(retry_after_s=9)
    simulator.reset()
    raw = client.chat.completions.with_raw_response.create(model="limited", messages=said("What is rain?"))
    assert raw.headers["x-laneway-provider"] == "bedrock"
    rows = list(simulator.bill())
    assert [row["path"].split("/")[1] for row in rows] == [*LIMITED, "bedrock"]
    assert [row["billed"] for row in rows] == [False] * len(LIMITED) + [True]
