"""The book: what this process knows of one deployment from the calls that it made there itself."""

from providers.completion import Answer
from router.breaker import Breaker, BreakerPolicy
from workers.estimate import Estimate
from workers.recent import Recent

_FIRST_LINES = 64
_LINES_AFTER_CLOSING = 16
_LINES_A_SUCCESS = 3
_LINE_EVERY_MS = 5
_SHARE = 0.2


class Book:
    """Calls under way, their recent number, what they take, how long a token takes, and the breaker."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self.running = 0
        self.started = Recent()
        self.estimate = Estimate()
        self.breaker = Breaker(policy)
        self.closed_since_ms: int | None = None
        """When this process last saw it closed; None while it takes calls as far as this process knows."""
        self.heard_at_ms = 0
        """When headers were last passed on."""
        self._us_per_output_token: float | None = None
        self._succeeded = Recent()
        self._most_lines = _FIRST_LINES
        self._unheard_since_ms: int | None = None

    @property
    def us_per_output_token(self) -> int | None:
        """Microseconds of a call per token that it wrote, decayed; None until measured."""
        return None if self._us_per_output_token is None else round(self._us_per_output_token)

    def per_minute(self, now_ms: int) -> int:
        """How many of its calls are accepted in a minute: those of the last one, or the pace of its part so far."""
        return max(self.started.pace(now_ms), 0)

    def answered(self, answer: Answer, body: bytes, took_ms: int, now_ms: int) -> None:
        """Learn from an answer. Every one lets a few more lines run beside the others."""
        self._succeeded.note(now_ms)
        self._most_lines = self._allowed(now_ms) + _LINES_A_SUCCESS
        self._unheard_since_ms = None
        if answer.usage is None:
            return
        self.estimate.learn(body, answer.usage)
        measured = took_ms * 1_000 / max(answer.usage.completion_tokens, 1)
        before = measured if self._us_per_output_token is None else self._us_per_output_token
        self._us_per_output_token = before + _SHARE * (measured - before)

    def closed(self, now_ms: int) -> None:
        """Note that it is closed: it is approached step by step afterwards."""
        if self.closed_since_ms is None:
            self.closed_since_ms = now_ms
        self._most_lines = _LINES_AFTER_CLOSING
        self._unheard_since_ms = None

    def opened(self) -> None:
        """Note that it takes calls again."""
        self.closed_since_ms = None

    def allowance(self, now_ms: int) -> int:
        """How many more lines may start now.

        After a quiet minute it is as if nothing were known: a few begin, more as time passes without a refusal, and
        many more with every answer. So a deployment that refuses everything is told by few calls.
        """
        if not self.running and not self._succeeded.per_minute(now_ms):
            self._most_lines = min(self._most_lines, _FIRST_LINES)
            self._unheard_since_ms = now_ms if self.closed_since_ms is None else None
        return self._allowed(now_ms) - self.running

    def _allowed(self, now_ms: int) -> int:
        passed_ms = 0 if self._unheard_since_ms is None else now_ms - self._unheard_since_ms
        return self._most_lines + passed_ms // _LINE_EVERY_MS
