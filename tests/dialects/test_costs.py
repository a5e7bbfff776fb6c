"""What calls cost, from the vendors' own words to nano-dollars: each sum is computed by hand beside its case.

List prices a million tokens, in dollars, as the vendors published them; a change of the table shows here.
"""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from providers.completion import Answer
from providers.prices import PriceBook
from router.cost import cost_nanousd
from tests.dialects.anthropic import messages_api as anthropic
from tests.dialects.bedrock import service_model as bedrock
from tests.dialects.bedrock.test_bedrock_answers import WHOLE
from tests.dialects.gemini import google
from tests.dialects.wire import answer, chat_of, completion

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MICRO = 1_000
"""Nano-dollars; a token at 1 dollar a million costs one micro-dollar."""


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(now=lambda: NOON)


def cost(book: PriceBook, pricing_id: str, model: str, outcome: Answer) -> int | None:
    """Price an answer as a worker does."""
    usage = outcome.usage
    assert usage is not None
    price = book.price(pricing_id, model, prompt_tokens=usage.prompt_tokens, service_tier=outcome.service_tier)
    return None if price is None else cost_nanousd(usage, price)


def openai_answer(prompt: int, cached: int, written: int, reasoning: int, tier: str) -> Answer:
    usage = {
        "prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }  # fmt: skip
    return answer(completion(usage=usage, service_tier=tier))[0]


@pytest.mark.parametrize(
    ("tier", "micros"),
    [
        # gpt-5-mini: input 0.25, cached 0.025, output 2. Reasoning is within the output, never on top of it.
        ("default", 2_000 * 0.25 + 8_000 * 0.025 + 1_000 * 2),
        ("flex", 2_000 * 0.125 + 8_000 * 0.0125 + 1_000 * 1),
        ("priority", 2_000 * 0.45 + 8_000 * 0.045 + 1_000 * 3.6),
    ],
)
def test_openai_by_tier_with_cached_input_and_reasoning(book: PriceBook, tier: str, micros: float) -> None:
    outcome = openai_answer(10_000, 8_000, 1_000, 600, tier)
    assert cost(book, "openai", "gpt-5-mini", outcome) == round(micros * MICRO)


def test_a_tier_without_a_published_price_is_unknown_and_not_free(book: PriceBook) -> None:
    assert cost(book, "openai", "gpt-4.1", openai_answer(10, 0, 1, 0, "flex")) is None


def claude(**usage: Any) -> Answer:
    return anthropic.answer(anthropic.message({"type": "text", "text": "Hi"}, usage=usage))[0]


def test_anthropic_counts_cached_input_apart_from_the_rest(book: PriceBook) -> None:
    # claude-haiku-4-5: input 1, cache read 0.10, cache write 1.25, output 5.
    outcome = claude(
        input_tokens=1_000, cache_read_input_tokens=20_000, cache_creation_input_tokens=4_000, output_tokens=500
    )
    micros = 1_000 * 1 + 20_000 * 0.1 + 4_000 * 1.25 + 500 * 5
    assert cost(book, "anthropic", "claude-haiku-4-5", outcome) == round(micros * MICRO)


def test_anthropic_cache_writes_for_an_hour_cost_more_than_those_for_five_minutes(book: PriceBook) -> None:
    # claude-haiku-4-5: cache write for 5 minutes 1.25, for an hour 2.
    kept = {"ephemeral_5m_input_tokens": 1_000, "ephemeral_1h_input_tokens": 3_000}
    outcome = claude(
        input_tokens=10, cache_read_input_tokens=0, cache_creation_input_tokens=4_000, cache_creation=kept,
        output_tokens=100,
    )  # fmt: skip
    micros = 10 * 1 + 1_000 * 1.25 + 3_000 * 2 + 100 * 5
    assert cost(book, "anthropic", "claude-haiku-4-5", outcome) == round(micros * MICRO)


def test_anthropic_long_prompts_make_the_whole_call_dearer(book: PriceBook) -> None:
    # claude-sonnet-4-5 beyond 200,000 input tokens, cached ones included: input 6, cache read 0.60, output 22.50.
    outcome = claude(
        input_tokens=150_000, cache_read_input_tokens=60_000, cache_creation_input_tokens=0, output_tokens=1_000
    )
    micros = 150_000 * 6 + 60_000 * 0.6 + 1_000 * 22.5
    assert cost(book, "anthropic", "claude-sonnet-4-5", outcome) == round(micros * MICRO)


def gemini(**counts: Any) -> Answer:
    return google.answer({**google.candidate({"text": "Hi"}), "usageMetadata": counts})[0]


def test_gemini_bills_thoughts_as_output_and_cached_content_apart(book: PriceBook) -> None:
    # gemini-2.5-pro up to 200,000 input tokens: input 1.25, cached 0.125, output 10. Thoughts come on top.
    outcome = gemini(
        promptTokenCount=50_000, cachedContentTokenCount=40_000, candidatesTokenCount=300, thoughtsTokenCount=700,
        totalTokenCount=51_000,
    )  # fmt: skip
    micros = 10_000 * 1.25 + 40_000 * 0.125 + 1_000 * 10
    assert cost(book, "google", "gemini-2.5-pro", outcome) == round(micros * MICRO)


def test_gemini_long_prompts_cost_more(book: PriceBook) -> None:
    # gemini-2.5-pro beyond 200,000 input tokens: input 2.50, output 15.
    outcome = gemini(promptTokenCount=250_000, candidatesTokenCount=2_000, totalTokenCount=252_000)
    micros = 250_000 * 2.5 + 2_000 * 15
    assert cost(book, "google", "gemini-2.5-pro", outcome) == round(micros * MICRO)


def nova(**counts: Any) -> Answer:
    return chat_of(bedrock.decode({**copy.deepcopy(WHOLE), "usage": counts}))[0]


def test_bedrock_counts_what_was_read_from_the_cache_apart(book: PriceBook) -> None:
    # amazon.nova-pro: input 0.80, cache read 0.20, output 3.20.
    outcome = nova(inputTokens=2_000, outputTokens=400, totalTokens=12_400, cacheReadInputTokens=10_000)
    micros = 2_000 * 0.8 + 10_000 * 0.2 + 400 * 3.2
    assert cost(book, "aws", "amazon.nova-pro-v1:0", outcome) == round(micros * MICRO)


def test_bedrock_cache_writes_by_how_long_they_are_kept(book: PriceBook) -> None:
    # Claude Sonnet 4.5 in a region: input 3.30, cache write 4.125, for an hour 6.60, output 16.50.
    outcome = nova(
        inputTokens=100, outputTokens=40, totalTokens=3_140, cacheWriteInputTokens=3_000,
        cacheDetails=[{"inputTokens": 1_000, "ttl": "5m"}, {"inputTokens": 2_000, "ttl": "1h"}],
    )  # fmt: skip
    micros = 100 * 3.3 + 1_000 * 4.125 + 2_000 * 6.6 + 40 * 16.5
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert cost(book, "aws", model, outcome) == round(micros * MICRO)


def test_what_the_provider_says_it_cost_wins(book: PriceBook) -> None:
    outcome, _ = answer(completion(usage={"prompt_tokens": 10, "completion_tokens": 5, "cost": 0.000123}))
    assert outcome.reported_cost_nanousd == 123_000
