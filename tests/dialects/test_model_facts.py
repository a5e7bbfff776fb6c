"""Model facts: what the data says of a model, whatever its provider writes before and after its name."""

import re

import pytest
from genai_prices.data_snapshot import get_snapshot
from pydantic import ValidationError

from providers.catalogue.models import ModelFacts, ModelRow, load_model_rows, traits_of

ROWS = load_model_rows()
OWN_NAMES = ("qwen3:8b", "gpt-oss:20b", "command-a-reasoning-08-2025", "cohere.embed-v4:0", "gemini-flash-latest")
NAMES = sorted({model.id for provider in get_snapshot().providers for model in provider.models} | set(OWN_NAMES))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_speaks_of_a_model_that_exists(row: ModelRow) -> None:
    assert any(re.search(row.pattern, name, re.IGNORECASE) for name in NAMES)
    assert row.traits or row.max_output_tokens


def test_no_model_has_two_limits() -> None:
    for name in NAMES:
        found = [row for row in ROWS if re.search(row.pattern, name, re.IGNORECASE)]
        assert sum(row.max_output_tokens is not None for row in found) <= 1, (name, [row.name for row in found])


@pytest.mark.parametrize(
    "name",
    [
        "claude-sonnet-4-5",
        "claude-sonnet-4.5",
        "claude-sonnet-4-5-20250929",
        "claude-sonnet-4-5@20250929",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "anthropic/CLAUDE-SONNET-4-5",
    ],
)
def test_a_model_is_itself_at_every_provider(name: str) -> None:
    facts = traits_of(name)
    assert facts == traits_of("claude-sonnet-4-5")
    assert facts.max_output_tokens == 64_000
    assert {"thinking_budget", "json_schema", "one_sampling", "tool_choice"} <= facts.traits


@pytest.mark.parametrize(
    ("name", "limit", "has", "lacks"),
    [
        ("claude-3-haiku-20240307", 4_096, "top_k", "thinking_budget json_schema"),
        ("claude-3-5-haiku-latest", 8_192, "tool_choice", "thinking_budget"),
        ("claude-3-7-sonnet-20250219", 64_000, "thinking_budget", "json_schema one_sampling"),
        ("claude-sonnet-4-20250514", 64_000, "thinking_budget", "json_schema"),
        ("claude-opus-4-20250514", 32_000, "thinking_budget", "json_schema"),
        ("claude-opus-4-1-20250805", 32_000, "thinking_budget json_schema one_sampling", "effort"),
        ("claude-opus-4-5-20251101", 64_000, "effort thinking_budget", "adaptive_thinking"),
        ("claude-haiku-4-5", 64_000, "thinking_budget", "effort"),
        ("claude-opus-4-6", 128_000, "adaptive_thinking no_prefill one_sampling", "no_sampling xhigh_effort"),
        ("claude-opus-4-7", 128_000, "adaptive_thinking no_sampling xhigh_effort", "thinking_budget always_thinks"),
        ("claude-opus-5-20260901", 128_000, "no_sampling", "always_thinks no_forced_tools"),
        ("claude-opus-5-5", 128_000, "always_thinks no_forced_tools", "top_k"),
        ("claude-fable-5", 128_000, "always_thinks", "no_forced_tools"),
        ("claude-fable-5-1", 128_000, "always_thinks no_forced_tools", ""),
        ("claude-mythos-preview", 128_000, "adaptive_thinking always_thinks", "no_forced_tools"),
        ("gemini-2.0-flash", 8_192, "", "thinking_budget thinking_level"),
        ("gemini-2.5-flash", 65_536, "thinking_budget", "always_thinks thought_signatures"),
        ("gemini-2.5-pro", 65_536, "thinking_budget always_thinks", "thinking_level"),
        ("gemini-2.5-flash-image", None, "", "thinking_budget"),
        ("gemini-3-pro-preview", 65_536, "thinking_level no_minimal_thinking json_with_tools", "thinking_budget"),
        ("gemini-3.8-flash", 65_536, "thinking_level thought_signatures", "no_minimal_thinking"),
        ("gemini-4-argon", 65_536, "thinking_level", ""),
        ("us.amazon.nova-2-lite-v1:0", None, "reasoning_config nested_top_k tool_choice", ""),
        ("amazon.nova-lite-v1:0", None, "nested_top_k tool_choice", "reasoning_config"),
        ("mistral.mistral-large-2402-v1:0", None, "tool_choice", ""),
        ("openai.gpt-oss-120b-1:0", None, "plain_effort", "thinking_level"),
        ("amazon.titan-embed-text-v2:0", None, "titan_embeddings", ""),
        ("cohere.embed-english-v3", None, "cohere_embeddings", ""),
        ("qwen3:8b", None, "adaptive_thinking", ""),
        ("qwen.qwen3-32b-v1:0", None, "", "adaptive_thinking"),
    ],
)
def test_what_is_known_of_a_model(name: str, limit: int | None, has: str, lacks: str) -> None:
    facts = traits_of(name)
    assert facts.max_output_tokens == limit
    assert set(has.split()) <= facts.traits
    assert not set(lacks.split()) & facts.traits


@pytest.mark.parametrize("name", ["", "gpt-5-mini", "my-fine-tune", "claude-instant-1.2", "x" * 200])
def test_nothing_is_known_of_other_models(name: str) -> None:
    assert traits_of(name) == ModelFacts()


@pytest.mark.parametrize(
    "change", [{"traits": ["fast"]}, {"pattern": "("}, {"max_output_tokens": 0}, {"colour": "red"}]
)
def test_the_schema_of_models_is_strict(change: dict[str, object]) -> None:
    good = {"name": "X", "pattern": "x", "source": "vendor", "source_date": "2026-11"}
    ModelRow.model_validate(good)
    with pytest.raises(ValidationError):
        ModelRow.model_validate({**good, **change})
