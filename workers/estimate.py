"""The estimate: what a call will take out of its limits, before anybody knows.

Input is guessed from the size of the body, output from what the deployment wrote lately, at most what the request
allows. Both learn from every answer, so that the sum over many calls is right although one call is not.
"""

from providers.completion import Usage
from providers.limit import Demand
from router.request_bounds import allowed_tokens

_SHARE = 0.1
_FIRST_BYTES_PER_TOKEN = 4.0
_FIRST_OUTPUT_TOKENS = 256.0


class Estimate:
    """What is known of one deployment's calls."""

    __slots__ = ("_bytes_per_token", "_output_tokens")

    def __init__(self) -> None:
        self._bytes_per_token = _FIRST_BYTES_PER_TOKEN
        self._output_tokens: float | None = None

    def of(self, body: bytes, *, counts_asked: bool) -> Demand:
        """Estimate one call. `counts_asked`: the provider counts the output that a request allows, not what came."""
        allowed = allowed_tokens(body)
        written = round(_FIRST_OUTPUT_TOKENS if self._output_tokens is None else self._output_tokens)
        if allowed is not None:
            written = allowed if counts_asked else min(written, allowed)
        return Demand(input_tokens=max(round(len(body) / self._bytes_per_token), 1), output_tokens=written)

    def learn(self, body: bytes, usage: Usage) -> None:
        """Take in what a call really took."""
        if usage.prompt_tokens:
            ratio = len(body) / usage.prompt_tokens
            self._bytes_per_token += _SHARE * (min(max(ratio, 0.1), 1_000.0) - self._bytes_per_token)
        before = float(usage.completion_tokens) if self._output_tokens is None else self._output_tokens
        self._output_tokens = before + _SHARE * (usage.completion_tokens - before)
