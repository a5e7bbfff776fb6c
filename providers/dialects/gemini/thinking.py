"""Thinking: how much of it an effort means, in levels for newer models and in tokens for older ones."""

from collections.abc import Mapping
from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.effort import Effort, peek_effort
from providers.chat.params import Params

LEVELS: Mapping[Effort, str] = {
    Effort.NONE: "MINIMAL",
    Effort.MINIMAL: "MINIMAL",
    Effort.LOW: "LOW",
    Effort.MEDIUM: "MEDIUM",
    Effort.HIGH: "HIGH",
    Effort.XHIGH: "HIGH",
    Effort.MAX: "HIGH",
}
"""No level means not to think at all: the lowest comes nearest."""

BUDGET_TOKENS: Mapping[Effort, int] = {
    Effort.NONE: 0,
    Effort.MINIMAL: 1_024,
    Effort.LOW: 1_024,
    Effort.MEDIUM: 8_192,
    Effort.HIGH: 24_576,
    Effort.XHIGH: 24_576,
    Effort.MAX: 24_576,
}
"""What Google's own OpenAI endpoint makes of the words; 24,576 is the most that every model with a budget takes."""

LEAST_BUDGET_TOKENS = 128
"""For models that always think."""


def take_thinking(params: Params, traits: frozenset[str]) -> dict[str, Any] | None:
    """Take `reasoning_effort` where the model can be told, and ask for its thoughts; None where nothing is asked for.

    Raises Unservable for an unknown word.
    """
    effort = peek_effort(params)
    if effort is None or not traits & {ModelTrait.THINKING_LEVEL, ModelTrait.THINKING_BUDGET}:
        return None
    params.take("reasoning_effort")
    asked: dict[str, Any] = {} if effort is Effort.NONE else {"includeThoughts": True}
    if ModelTrait.THINKING_LEVEL in traits:
        level = LEVELS[effort]
        lacks_it = level == "MINIMAL" and ModelTrait.NO_MINIMAL_THINKING in traits
        return {**asked, "thinkingLevel": "LOW" if lacks_it else level}
    budget_tokens = BUDGET_TOKENS[effort]
    if ModelTrait.ALWAYS_THINKS in traits:
        budget_tokens = max(budget_tokens, LEAST_BUDGET_TOKENS)
    return {**asked, "thinkingBudget": budget_tokens}
