"""The example prompts: every line is a batch line the simulator answers."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from providers.simulator.process import SimulatorProcess

PROMPTS = Path(__file__).parents[2] / "examples" / "prompts.jsonl"


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in PROMPTS.read_text(encoding="utf-8").split("\n") if line]


def test_the_lines_are_many_and_all_different(lines: list[dict[str, Any]]) -> None:
    assert len(lines) >= 600
    assert len({line["custom_id"] for line in lines}) == len(lines)
    assert len({json.dumps(line["body"]["messages"]) for line in lines}) == len(lines)


def test_the_simulator_answers_every_line(lines: list[dict[str, Any]]) -> None:
    with SimulatorProcess.start() as simulator, make_client(simulator.url) as client:
        for line in lines:
            assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
            provider, _, model = line["body"]["model"].partition("/")
            assert (provider, model in ("sim-small", "sim-large")) == ("simulator", True)
            reply = client.post("/chat/completions", json=line["body"] | {"model": model})
            assert reply.status_code == 200, line["custom_id"]
            check_kind(line["body"], reply.json()["choices"][0])
        assert simulator.stats()["billed_calls"] == len(lines)


def make_client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=120, trust_env=False)


def check_kind(body: dict[str, Any], choice: dict[str, Any]) -> None:
    """Check that a line with tools gets a call, and one with a format gets JSON with the required names."""
    if "tools" in body:
        assert choice["finish_reason"] == "tool_calls"
    elif "response_format" in body:
        value = json.loads(choice["message"]["content"])
        schema = body["response_format"].get("json_schema", {}).get("schema", {})
        assert set(schema.get("required", value)) == set(value)
