"""The retry budget of one provider: repeated calls are a bounded share of all, however many jobs fail. Pure.

A token bucket: every first call adds a share of a token, time adds some more, a repetition takes one. When it is empty
a repetition is not refused but put off until its token has come.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryBudgetPolicy:
    """How many repetitions there may be."""

    share_permille: int = 100
    """Repetitions per thousand first calls."""
    per_second: int = 5
    """And so many every second, whatever the traffic."""


class RetryBudget:
    """Counts in thousandths of a repetition; `now_ms` never goes back."""

    __slots__ = ("_level", "_now_ms", "_policy")

    def __init__(self, policy: RetryBudgetPolicy) -> None:
        self._policy = policy
        self._now_ms: int | None = None
        self._level = self._most

    @property
    def _most(self) -> int:
        """What can be saved up: ten seconds' worth."""
        return self._policy.per_second * 10_000

    def called(self, now_ms: int) -> None:
        """Note a job's first call."""
        self._add(now_ms, self._policy.share_permille)

    def delay_ms(self, now_ms: int) -> int:
        """Take a repetition; returns how long it has to be put off."""
        self._add(now_ms, -1_000)
        return max(-(self._level // self._policy.per_second), 0)

    def _add(self, now_ms: int, amount: int) -> None:
        passed_ms = now_ms - (now_ms if self._now_ms is None else self._now_ms)
        self._now_ms = now_ms
        self._level = min(self._level + passed_ms * self._policy.per_second + amount, self._most)
