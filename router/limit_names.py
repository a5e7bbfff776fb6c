"""The names of limits: how each is written in a file, a live edit or a key, what it counts, and its words. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from providers.limit import DAY_MS, MINUTE_MS, Limit, Measure


class LimitName(StrEnum):
    """Every limit that can be set."""

    RPM = "rpm"
    TPM = "tpm"
    INPUT_TPM = "input_tpm"
    OUTPUT_TPM = "output_tpm"
    RPD = "rpd"
    USD_PER_MINUTE = "usd_per_minute"
    MAX_PARALLEL_REQUESTS = "max_parallel_requests"


KEY_LIMITS = (LimitName.RPM, LimitName.TPM, LimitName.MAX_PARALLEL_REQUESTS)
"""Those that a virtual key may have."""
_COUNTED: Mapping[LimitName, tuple[Measure, int]] = MappingProxyType(
    {
        LimitName.RPM: (Measure.REQUESTS, MINUTE_MS),
        LimitName.TPM: (Measure.TOKENS, MINUTE_MS),
        LimitName.INPUT_TPM: (Measure.INPUT_TOKENS, MINUTE_MS),
        LimitName.OUTPUT_TPM: (Measure.OUTPUT_TOKENS, MINUTE_MS),
        LimitName.RPD: (Measure.REQUESTS, DAY_MS),
        LimitName.USD_PER_MINUTE: (Measure.NANOUSD, MINUTE_MS),
        LimitName.MAX_PARALLEL_REQUESTS: (Measure.PARALLEL, 0),
    }
)
_WORDS: Mapping[Measure, str] = MappingProxyType(
    {
        Measure.REQUESTS: "requests",
        Measure.TOKENS: "tokens",
        Measure.INPUT_TOKENS: "input tokens",
        Measure.OUTPUT_TOKENS: "output tokens",
        Measure.NANOUSD: "dollars",
        Measure.PARALLEL: "calls in flight",
    }
)
_WINDOWS = MappingProxyType({1_000: "s", MINUTE_MS: "min", 3_600_000: "h", DAY_MS: "day"})


def limit_of(name: LimitName, amount: int) -> Limit:
    """The limit that a name and an amount mean; money in nano-dollars."""
    measure, window_ms = _COUNTED[name]
    return Limit(measure, amount, window_ms)


def words_of(measure: Measure, window_ms: int) -> str:
    """A limit for people: `output tokens/min`, `requests/day`, `calls in flight`."""
    if not window_ms:
        return _WORDS[measure]
    return f"{_WORDS[measure]}/{_WINDOWS.get(window_ms) or f'{window_ms / 1000:g} s'}"
