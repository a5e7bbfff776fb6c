"""Thinking: the effort that a caller asks for, in the fields that each family of models takes beside Converse's own.

adaptive models, models with a budget    `thinking` and `output_config`, as the Messages API has them
models with a config of their own        `reasoningConfig`
models that take the plain word          `reasoning_effort`
others                                   the field is left to the rule for parameters
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.effort import Effort, peek_effort
from providers.chat.request import ChatRequest
from providers.completion import Target
from providers.dialects.anthropic.thinking import choose_thinking, room

_MESSAGES_API = frozenset({ModelTrait.ADAPTIVE_THINKING, ModelTrait.THINKING_BUDGET, ModelTrait.EFFORT})
_THREE_WORDS = {Effort.MINIMAL: Effort.LOW, Effort.XHIGH: Effort.HIGH, Effort.MAX: Effort.HIGH}
"""What becomes of words that a model with only three does not know."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """How much a model is to think, as it is told."""

    max_tokens: int | None
    """The limit of output tokens; None leaves it to the model."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Members of `additionalModelRequestFields`."""
    refuses_sampling: bool = False
    """Thinking of this kind excludes `temperature`, `top_p` and `top_k`."""


def write_thinking(request: ChatRequest, target: Target, *, is_forced: bool) -> Thinking:
    """Take `reasoning_effort` where the model can follow it; it stays in the params where it cannot.

    `is_forced` says that a tool must be called, which excludes thinking of the first kind.
    """
    effort, traits = peek_effort(request.params), target.model_traits
    if traits & _MESSAGES_API:
        return _as_messages_api(request, target, is_forced=is_forced)
    if effort is not None and ModelTrait.REASONING_CONFIG in traits:
        request.params.take("reasoning_effort")
        return _configured(effort, request)
    if effort not in (None, Effort.NONE) and ModelTrait.PLAIN_EFFORT in traits:
        request.params.take("reasoning_effort")
        return Thinking(request.max_tokens, {"reasoning_effort": _THREE_WORDS.get(effort, effort)})
    return Thinking(request.max_tokens)


def _as_messages_api(request: ChatRequest, target: Target, *, is_forced: bool) -> Thinking:
    thinking = choose_thinking(request.params, target, request.messages, is_forced=is_forced)
    max_tokens = request.max_tokens
    if thinking.config is not None and "budget_tokens" in thinking.config:
        thinking, max_tokens = room(thinking, max_tokens, target.max_output_tokens)
    fields = {
        "thinking": thinking.config,
        "output_config": None if thinking.effort is None else {"effort": thinking.effort},
    }
    taken = {name: value for name, value in fields.items() if value is not None}
    return Thinking(max_tokens, taken, refuses_sampling=thinking.is_on)


def _configured(effort: Effort, request: ChatRequest) -> Thinking:
    """Think with three words, of which the highest excludes a limit of output tokens: with one, `medium` is sent."""
    if effort is Effort.NONE:
        return Thinking(request.max_tokens, {"reasoningConfig": {"type": "disabled"}})
    word = _THREE_WORDS.get(effort, effort)
    if word is Effort.HIGH and request.max_tokens is not None:
        word = Effort.MEDIUM
    config = {"type": "enabled", "maxReasoningEffort": word}
    return Thinking(request.max_tokens, {"reasoningConfig": config}, refuses_sampling=word is Effort.HIGH)
