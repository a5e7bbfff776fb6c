"""The settings of a running simulator: given by flags, changed live by `POST /sim/settings`."""

import re
from dataclasses import dataclass
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from providers.simulator.behaviours import Behaviour

_LATENCY: Final = re.compile(r"(\d{1,9})-(\d{1,9})")


class Price(BaseModel):
    """What one model costs, in whole nano-dollars per million tokens (1 USD = 1,000,000,000)."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    input: int = Field(ge=0, description="nano-dollars per million prompt tokens")
    output: int = Field(default=0, ge=0, description="nano-dollars per million completion tokens")

    def cost_nanousd(self, prompt_tokens: int, completion_tokens: int) -> int:
        """Return the price of one call, rounded half up to a whole nano-dollar."""
        return (prompt_tokens * self.input + completion_tokens * self.output + 500_000) // 1_000_000


def _default_prices() -> dict[str, Price]:
    return {
        Behaviour.SMALL: Price(input=150_000_000, output=600_000_000),
        Behaviour.LARGE: Price(input=2_500_000_000, output=10_000_000_000),
        Behaviour.EMBED: Price(input=20_000_000),
    }


@dataclass(frozen=True, slots=True)
class Latency:
    """How long an answer takes: between two bounds in milliseconds, both included."""

    low_ms: int
    high_ms: int

    def draw_ms(self, request_hash: int) -> int:
        """Return the latency of the request with this hash: the same request always takes as long."""
        return self.low_ms + request_hash % (self.high_ms - self.low_ms + 1)


class Settings(BaseModel):
    """Everything about the simulator that may change while it runs."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    latency_ms: int | str = Field(default=0, description='time to generate an answer: "20" or "200-800"')
    chunk_ms: int = Field(default=0, ge=0, description="pause between two chunks of a stream")
    rate_429: float = Field(default=0.0, ge=0, le=1, description="share of calls answered 429, 0 to 1")
    rate_500: float = Field(default=0.0, ge=0, le=1, description="share of calls answered 500, 0 to 1")
    seed: int = Field(default=1, ge=0, description="seed of the error rates")
    requests_per_minute: int | None = Field(default=None, ge=1, description="own rate limit; null is none")
    requests_per_day: int | None = Field(default=None, ge=1, description="own rate limit; null is none")
    tokens_per_minute: int | None = Field(default=None, ge=1, description="input and output together; null is none")
    input_tokens_per_minute: int | None = Field(default=None, ge=1, description="own rate limit; null is none")
    output_tokens_per_minute: int | None = Field(default=None, ge=1, description="own rate limit; null is none")
    max_parallel: int | None = Field(default=None, ge=1, description="own bound on calls in flight; null is none")
    limit_window: Literal["bucket", "sliding"] = Field(
        default="bucket", description="bucket: fills evenly; sliding: an exact log of the last window"
    )
    burst_share: float = Field(default=1.0, gt=0, le=1, description="share of a minute's limit that a bucket holds")
    request_burst: int | None = Field(default=None, ge=1, description="calls that a bucket holds; null is burst_share")
    counts_tokens: Literal["used", "asked"] = Field(
        default="used", description="used: output once it is generated; asked: max_tokens when the call starts"
    )
    limits_per_model: bool = Field(default=False, description="limits hold for each model apart, max_parallel for all")
    enforce: bool = Field(default=True, description="false: nothing is refused because of a limit, only counted")
    limit_headers: Literal["vendor", "none"] = Field(
        default="vendor", description="vendor: answers tell of the limits as the vendor's do; none: they do not"
    )
    retry_after: bool = Field(default=True, description="whether 429 and 503 say after how long to try again")
    retry_after_s: int = Field(default=1, ge=0, description="Retry-After of forced 429 and 503 answers")
    status_override: int | None = Field(default=None, ge=400, le=599, description="outage: this status for all")
    refuse: bool = Field(default=False, description="outage: accept, then reset every connection")
    slow_ms: int = Field(default=5_000, ge=0, description="latency of sim-slow")
    drip_ms: int = Field(default=1_000, ge=1, description="pause between two bytes of sim-drip")
    huge_bytes: int = Field(default=200_000_000, ge=1, description="body size of sim-huge")
    redirect_url: str = Field(default="/sim/trap", max_length=2_000, description="where sim-redirect points")
    prices: dict[str, Price] = Field(default_factory=_default_prices, description="by model name")

    @field_validator("latency_ms")
    @classmethod
    def _check_latency(cls, value: int | str) -> int | str:
        _parse_latency(value)
        return value

    @field_validator("redirect_url")
    @classmethod
    def _check_redirect(cls, value: str) -> str:
        if not value.isascii() or not value.isprintable():
            raise ValueError("must be printable ASCII, as it goes into a header")
        return value

    @field_validator("prices")
    @classmethod
    def _check_prices(cls, value: dict[str, Price]) -> dict[str, Price]:
        unknown = sorted(set(value) - {str(name) for name in Behaviour})
        if unknown:
            raise ValueError(f"no such model: {', '.join(unknown)}")
        return value

    def latency(self) -> Latency:
        """Return `latency_ms` as bounds."""
        return _parse_latency(self.latency_ms)

    def price(self, model: str) -> Price:
        """Return a model's price; a model without one of its own costs what sim-small costs."""
        return self.prices.get(model) or self.prices.get(Behaviour.SMALL) or Price(input=0)

    def changed(self, changes: dict[str, object]) -> Self:
        """Return these settings with some fields replaced (prices model by model); raises ValidationError."""
        prices = changes.get("prices")
        if isinstance(prices, dict):
            changes = {**changes, "prices": {**self.model_dump()["prices"], **prices}}
        return type(self).model_validate({**self.model_dump(), **changes})


def _parse_latency(value: int | str) -> Latency:
    if isinstance(value, int):
        low, high = value, value
    else:
        match = _LATENCY.fullmatch(value)
        if match is None:
            raise ValueError('must be whole milliseconds, as 20 or "200-800"')
        low, high = int(match[1]), int(match[2])
    if not 0 <= low <= high:
        raise ValueError("must be at least 0, the lower bound first")
    return Latency(low, high)
