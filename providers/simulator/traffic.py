"""The traffic: what the limits let through and refused, with the most that fell into any window.

It counts whether limits are enforced or not, so that a test can hold a caller to limits that nobody enforces.
"""

from collections import deque
from typing import Final

from providers.limit import Demand

_SECOND_NS: Final = 1_000_000_000


class Peak:
    """The most that was accepted in any window of one length, wherever it begins."""

    __slots__ = ("_input", "_log", "_output", "_requests", "_window_ns", "input_tokens", "output_tokens", "requests",
                 "tokens")  # fmt: skip

    def __init__(self, window_ns: int) -> None:
        """Start with nothing accepted."""
        self._window_ns = window_ns
        self._log: deque[tuple[int, int, int, int]] = deque()
        self._requests = self._input = self._output = 0
        self.requests = 0
        self.tokens = 0
        self.input_tokens = 0
        self.output_tokens = 0

    def add(self, now_ns: int, requests: int, demand: Demand) -> None:
        """Count something accepted now."""
        log, since_ns = self._log, now_ns - self._window_ns
        while log and log[0][0] <= since_ns:
            _, gone, gone_input, gone_output = log.popleft()
            self._requests -= gone
            self._input -= gone_input
            self._output -= gone_output
        log.append((now_ns, requests, demand.input_tokens, demand.output_tokens))
        self._requests += requests
        self._input += demand.input_tokens
        self._output += demand.output_tokens
        if self._requests > self.requests:
            self.requests = self._requests
        if self._input > self.input_tokens:
            self.input_tokens = self._input
        if self._output > self.output_tokens:
            self.output_tokens = self._output
        if self._input + self._output > self.tokens:
            self.tokens = self._input + self._output

    def to_json(self) -> dict[str, int]:
        """Return the four maxima."""
        return {
            "requests": self.requests,
            "tokens": self.tokens,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
        }


class Counts:
    """Counters of calls and tokens, as a vendor's limits see them."""

    __slots__ = ("_minute", "_second", "accepted", "input_tokens", "output_tokens", "refused")

    def __init__(self) -> None:
        """Start at zero."""
        self.accepted = 0
        self.refused = 0
        """Calls answered 429 because of a limit; those answered so for another reason were accepted."""
        self.input_tokens = 0
        self.output_tokens = 0
        self._minute = Peak(60 * _SECOND_NS)
        self._second = Peak(_SECOND_NS)

    def add(self, now_ns: int, requests: int, demand: Demand) -> None:
        """Count something accepted now."""
        self.accepted += requests
        self.input_tokens += demand.input_tokens
        self.output_tokens += demand.output_tokens
        self._minute.add(now_ns, requests, demand)
        self._second.add(now_ns, requests, demand)

    def to_json(self) -> dict[str, object]:
        """Return the counters and the maxima over all windows of a minute and of a second."""
        return {
            "accepted": self.accepted,
            "refused": self.refused,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "tokens": self.input_tokens + self.output_tokens,
            "peak_60s": self._minute.to_json(),
            "peak_1s": self._second.to_json(),
        }


class Traffic:
    """The counts of all models together and of each apart."""

    def __init__(self) -> None:
        """Start at zero."""
        self.clear()

    def clear(self) -> None:
        """Set every counter to zero and forget what is in the windows."""
        self._whole = Counts()
        self._models: dict[str, Counts] = {}

    def accept(self, model: str, demand: Demand, now_ns: int) -> None:
        """Count a call that starts."""
        self._whole.add(now_ns, 1, demand)
        self._of(model).add(now_ns, 1, demand)

    def generated(self, model: str, output_tokens: int, now_ns: int) -> None:
        """Count the tokens of an answer, where they were not counted when the call started."""
        written = Demand(output_tokens=output_tokens)
        self._whole.add(now_ns, 0, written)
        self._of(model).add(now_ns, 0, written)

    def refuse(self, model: str) -> None:
        """Count a call that is refused because of a limit."""
        self._whole.refused += 1
        self._of(model).refused += 1

    def to_json(self) -> dict[str, object]:
        """Return the counts of all models, and under `models` those of each that was called."""
        return {**self._whole.to_json(), "models": {name: counts.to_json() for name, counts in self._models.items()}}

    def _of(self, model: str) -> Counts:
        counts = self._models.get(model)
        if counts is None:
            counts = self._models[model] = Counts()
        return counts
