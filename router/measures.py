"""Durations, sizes, shares and money: how they are written in the configuration, and the whole numbers they become."""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

_NANOUSD = 1_000_000_000
_MAX_USD = 1_000_000
_MAX_DURATION_MS = 10 * 365 * 86_400_000
_DURATION = re.compile(r"(\d{1,15})\s*(ms|s|m|h|d)")
_DURATION_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZE = re.compile(r"(\d{1,18})\s*(B|KiB|MiB|GiB)?")
_SIZE_UNITS_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


def duration_ms(value: object) -> int:
    """Read `"600s"`, `"500ms"`, `"10m"`, `"24h"`, `"30d"`, or whole seconds (600 or "600"), as milliseconds.

    Raises ValueError. Zero is refused: no setting of ours means "no time at all".
    """
    text = f"{value}s" if _is_whole(value) else str(value).strip()
    match = _DURATION.fullmatch(text if not text.isdigit() else f"{text}s")
    if match is None or isinstance(value, bool):
        raise ValueError('should be a duration such as "600s", "500ms", "10m", "24h" or "30d", or whole seconds')
    found = int(match[1]) * _DURATION_UNITS_MS[match[2]]
    if not 0 < found <= _MAX_DURATION_MS:
        raise ValueError("should be longer than nothing and at most ten years")
    return found


def size_bytes(value: object) -> int:
    """Read a whole number of bytes, or `"32MiB"` (B, KiB, MiB, GiB), as bytes. Raises ValueError."""
    match = None if isinstance(value, bool) else _SIZE.fullmatch(str(value).strip())
    if match is None or int(match[1]) == 0:
        raise ValueError('should be a positive whole number of bytes, or a size such as "32MiB" or "2GiB"')
    return int(match[1]) * _SIZE_UNITS_BYTES[match[2] or "B"]


def price_nanousd_per_mtok(value: object) -> int:
    """Read US dollars per million tokens, a number or a decimal string, as nano-dollars per million tokens.

    Exact: a YAML number is taken by its shortest decimal form, so 0.15 is 150,000,000 and nothing near it. Raises
    ValueError for what is negative, not finite, finer than a nano-dollar, or above 1,000,000 USD.
    """
    return _whole_parts(value, _NANOUSD, 0, _MAX_USD, "US dollars per million tokens")


def usd_nanousd(value: object) -> int:
    """Read an amount of US dollars, more than nothing, as nano-dollars; exact like a price. Raises ValueError."""
    return _whole_parts(value, _NANOUSD, Decimal(1) / _NANOUSD, _MAX_USD, "US dollars")


def share_permille(value: object) -> int:
    """Read a share such as 0.5 as thousandths, from 0.001 to 1. Raises ValueError."""
    return _whole_parts(value, 1_000, Decimal("0.001"), 1, "a share of one")


def _whole_parts(value: object, parts: int, least: Decimal | int, most: int, noun: str) -> int:
    """Read a decimal as a whole number of parts of one; `parts` is a power of ten."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(f"should be {noun}, such as 0.15")
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"should be {noun}, such as 0.15") from None
    if not amount.is_finite() or not least <= amount <= most:
        raise ValueError(f"should be between {Decimal(least):f} and {most:,} {noun}")
    exact = Context(prec=60, traps=[Inexact])
    try:
        return int(exact.quantize(exact.multiply(amount, parts), Decimal(1)))
    except Inexact:
        raise ValueError(f"should have at most {len(str(parts)) - 1} decimal places") from None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("should be a whole number, not true or false")
    return value


_TEXT_OR_INTEGER: dict[str, object] = {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]}
_TEXT_OR_NUMBER: dict[str, object] = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}

DurationMs = Annotated[int, BeforeValidator(duration_ms), WithJsonSchema(_TEXT_OR_INTEGER)]
SizeBytes = Annotated[int, BeforeValidator(size_bytes), WithJsonSchema(_TEXT_OR_INTEGER)]
PriceNanousd = Annotated[int, BeforeValidator(price_nanousd_per_mtok), WithJsonSchema(_TEXT_OR_NUMBER)]
UsdNanousd = Annotated[int, BeforeValidator(usd_nanousd), WithJsonSchema(_TEXT_OR_NUMBER)]
SharePermille = Annotated[int, BeforeValidator(share_permille), WithJsonSchema(_TEXT_OR_NUMBER)]
Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=1, le=1_000_000_000)]
