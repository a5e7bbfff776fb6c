"""The survey of a run: what the lines of a batch's file ask for together, by model and service tier. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from providers.completion import Endpoint
from router.batch_line import Request
from router.request_bounds import LIKELY, RequestBounds, bounds_of

TYPICAL_OUTPUT_TOKENS = 256
"""Of one answer, as long as nobody knows better."""


@dataclass(frozen=True, slots=True)
class Part:
    """The lines that have one price: a model's, at one service tier."""

    model: str
    service_tier: str | None
    """As the request says it; None where it does not."""


@dataclass(slots=True)
class Asked:
    """What the lines of one part ask for together."""

    lines: int = 0
    input_tokens: int = 0
    typical_output_tokens: int = 0
    """Where every answer is typical, or as long as its request allows if that is less."""
    allowed_output_tokens: int = 0
    """Of the requests that bound their answers."""
    unbounded_answers: int = 0
    """Answers of the requests that do not."""

    def most_output_tokens(self, unbounded_tokens: int) -> int:
        """The most that may be written, where an answer without a bound has at most so many tokens."""
        return self.allowed_output_tokens + self.unbounded_answers * unbounded_tokens


@dataclass(slots=True)
class Survey:
    """The sums over all lines so far."""

    endpoint: str
    parts: dict[Part, Asked] = field(default_factory=dict)

    def add(self, requests: Iterable[Request]) -> None:
        """Take in some good lines."""
        for request in requests:
            tier = request.body.get("service_tier")
            part = Part(request.model, tier[:_MOST_TIER] if isinstance(tier, str) else None)
            asked = self.parts.get(part)
            if asked is None:
                asked = self.parts[part] = Asked()
            self._add(asked, bounds_of(request.body, orjson.dumps(request.body)))

    def _add(self, asked: Asked, bounds: RequestBounds) -> None:
        asked.lines += 1
        asked.input_tokens += bounds.input_tokens(LIKELY)
        if self.endpoint == Endpoint.EMBEDDINGS:
            return
        allowed = bounds.output_tokens
        if allowed is None:
            asked.unbounded_answers += bounds.choices
            asked.typical_output_tokens += bounds.choices * TYPICAL_OUTPUT_TOKENS
        else:
            asked.allowed_output_tokens += bounds.choices * allowed
            asked.typical_output_tokens += bounds.choices * min(allowed, TYPICAL_OUTPUT_TOKENS)


_MOST_TIER = 40
