"""The table of docs/parameters.md: what each dialect does with each field of a chat request, found out by asking it.

`python -m tests.dialects.parameter_table` writes the table into the page.
"""

from pathlib import Path
from typing import Any

import orjson

from providers.catalogue.model_trait import ModelTrait
from providers.completion import Endpoint, Target
from providers.dialects import WireRequest, dialect, dialect_names

PAGE = Path(__file__).parents[2] / "docs" / "parameters.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"

TOOL = {"type": "function", "function": {"name": "now", "description": "The time.", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
FIELDS: dict[str, dict[str, Any]] = {
    "max_tokens": {"max_tokens": 500},
    "stop": {"stop": ["END"]},
    "temperature": {"temperature": 0.5},
    "top_p": {"top_p": 0.9},
    "frequency_penalty, presence_penalty": {"frequency_penalty": 0.5, "presence_penalty": 0.5},
    "seed": {"seed": 7},
    "n > 1": {"n": 2},
    "logprobs": {"logprobs": True},
    "top_logprobs": {"logprobs": True, "top_logprobs": 2},
    "logit_bias": {"logit_bias": {"50256": -100}},
    "tools": {"tools": [TOOL]},
    "tool_choice: none": {"tools": [TOOL], "tool_choice": "none"},
    "tool_choice: required": {"tools": [TOOL], "tool_choice": "required"},
    "tool_choice: a tool": {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "now"}}},
    "parallel_tool_calls: false": {"tools": [TOOL], "parallel_tool_calls": False},
    "response_format: json_object": {"response_format": {"type": "json_object"}},
    "response_format: json_schema": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
    },
    "reasoning_effort": {"reasoning_effort": "low"},
    "user": {"user": "u-1"},
    "metadata": {"metadata": {"run": "1"}},
    "service_tier": {"service_tier": "flex"},
    "store": {"store": True},
    "prediction": {"prediction": {"type": "content", "content": "x"}},
    "modalities: audio": {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
    "web_search_options": {"web_search_options": {}},
}
MODELS = (frozenset[str](), *(frozenset({trait}) for trait in ModelTrait), frozenset({"json_schema", "tool_choice"}))
"""Models of no trait, of each trait alone, and of the two that a wish for JSON needs together at some providers."""


def outcome(name: str, fields: dict[str, Any]) -> str:
    """Say in a word what a dialect does with the fields, over every kind of model."""
    found = {_outcome_at(name, fields, traits) for traits in MODELS}
    return found.pop() if len(found) == 1 else "by model"


def _outcome_at(name: str, fields: dict[str, Any], traits: frozenset[str]) -> str:
    settings = (("region", "eu-west-1"),)
    target = Target("acme", name, "https://acme.test/v1", "m", "key", settings=settings, model_traits=traits)
    body = orjson.dumps({"messages": [{"role": "user", "content": "Give JSON."}], **fields})
    wire = dialect(name).encode(Endpoint.CHAT, body, target)
    if not isinstance(wire, WireRequest):
        return "refused"
    return "noted" if any(field in wire.dropped_params for field in fields) else "sent"


def table() -> str:
    """Return the table as Markdown."""
    names = dialect_names()
    rows = [["field", *names], ["---"] * (len(names) + 1)]
    rows += [[f"`{field}`", *(outcome(name, asked) for name in names)] for field, asked in FIELDS.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def written(page: str) -> str:
    """Return the page with its table anew."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
