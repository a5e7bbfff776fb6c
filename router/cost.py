"""What a call cost: whole tokens times whole nano-dollars, rounded once."""

from providers.completion import Usage
from providers.price import Price

_NANOUSD_PER_USD = 1_000_000_000
_TOKENS_PER_MTOK = 1_000_000


def cost_nanousd(usage: Usage, price: Price) -> int:
    """Price one call, rounded half up to a nano-dollar at the very end.

    Cached and cache-written tokens are parts of `prompt_tokens`; where the price has no rate for them they cost what
    other input costs. Counts that contradict each other are cut, never charged twice: at most `prompt_tokens` input
    tokens are priced, the cached ones first. Reasoning tokens are inside `completion_tokens`.
    """
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    written = min(usage.cache_write_tokens, usage.prompt_tokens - cached)
    for_an_hour = min(usage.cache_write_1h_tokens, written)
    plain = usage.prompt_tokens - cached - written
    writing = _or(price.cache_write_nanousd_per_mtok, price.input_nanousd_per_mtok)
    total = (
        plain * price.input_nanousd_per_mtok
        + cached * _or(price.cached_input_nanousd_per_mtok, price.input_nanousd_per_mtok)
        + (written - for_an_hour) * writing
        + for_an_hour * _or(price.cache_write_1h_nanousd_per_mtok, writing)
        + usage.completion_tokens * price.output_nanousd_per_mtok
    )
    return (total + _TOKENS_PER_MTOK // 2) // _TOKENS_PER_MTOK


def _or(rate: int | None, other: int) -> int:
    return other if rate is None else rate


def usd(nanousd: int) -> str:
    """Write nano-dollars as decimal dollars without an exponent or idle zeros: 0 is "0", 1500 is "0.0000015"."""
    sign = "-" if nanousd < 0 else ""
    whole, fraction = divmod(abs(nanousd), _NANOUSD_PER_USD)
    return f"{sign}{whole}.{fraction:09d}".rstrip("0").rstrip(".")
