"""Cost: whole nano-dollars, figures worked out by hand."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.completion import Usage
from providers.price import Price
from router.cost import cost_nanousd, usd

MINI = Price(
    input_nanousd_per_mtok=250_000_000,
    output_nanousd_per_mtok=2_000_000_000,
    cached_input_nanousd_per_mtok=25_000_000,
    cache_write_nanousd_per_mtok=312_500_000,
)
PLAIN = Price(input_nanousd_per_mtok=150_000_000, output_nanousd_per_mtok=600_000_000)


@pytest.mark.parametrize(
    ("usage", "price", "nanousd"),
    [
        (Usage(), MINI, 0),
        # 1,000 × 0.15 $/M + 500 × 0.60 $/M = 0.000150 + 0.000300 $
        (Usage(prompt_tokens=1_000, completion_tokens=500), PLAIN, 450_000),
        # 400 plain × 0.25 + 600 cached × 0.025 + 100 × 2.00 = 0.000100 + 0.000015 + 0.000200 $
        (Usage(prompt_tokens=1_000, completion_tokens=100, cached_tokens=600), MINI, 315_000),
        # 100 plain × 0.25 + 600 cached × 0.025 + 300 written × 0.3125 = 0.000025 + 0.000015 + 0.00009375 $
        (Usage(prompt_tokens=1_000, cached_tokens=600, cache_write_tokens=300), MINI, 133_750),
        # no rate for the cache: it costs what input costs, 1,000 × 0.15
        (Usage(prompt_tokens=1_000, cached_tokens=600, cache_write_tokens=300), PLAIN, 150_000),
        # reasoning is inside the output: 100 × 0.60
        (Usage(completion_tokens=100, reasoning_tokens=90), PLAIN, 60_000),
        # more cached than prompt: cut to the prompt, 10 × 0.025
        (Usage(prompt_tokens=10, cached_tokens=50, cache_write_tokens=50), MINI, 250),
    ],
)
def test_a_call_costs_what_the_price_list_says(usage: Usage, price: Price, nanousd: int) -> None:
    assert cost_nanousd(usage, price) == nanousd


@pytest.mark.parametrize(
    ("input_price", "tokens", "nanousd"),
    [(499_999, 1, 0), (500_000, 1, 1), (1_499_999, 1, 1), (1_500_000, 1, 2), (500_000, 3, 2), (250_000, 3, 1)],
)
def test_half_a_nanodollar_is_rounded_up_once_at_the_end(input_price: int, tokens: int, nanousd: int) -> None:
    price = Price(input_nanousd_per_mtok=input_price, output_nanousd_per_mtok=0)
    assert cost_nanousd(Usage(prompt_tokens=tokens), price) == nanousd


def test_parts_are_added_before_rounding() -> None:
    price = Price(input_nanousd_per_mtok=400_000, output_nanousd_per_mtok=400_000)
    assert cost_nanousd(Usage(prompt_tokens=1, completion_tokens=1), price) == 1


counts = st.integers(0, 10**9)
rates = st.integers(0, 10**15)


@given(counts, counts, counts, counts, rates, rates, st.none() | rates, st.none() | rates)
def test_the_cost_agrees_with_decimal_arithmetic(
    prompt: int,
    cached: int,
    written: int,
    output: int,
    p_in: int,
    p_out: int,
    p_cached: int | None,
    p_write: int | None,
) -> None:
    cached = min(cached, prompt)
    written = min(written, prompt - cached)
    usage = Usage(prompt_tokens=prompt, completion_tokens=output, cached_tokens=cached, cache_write_tokens=written)
    price = Price(p_in, p_out, p_cached, p_write)
    millionth = Decimal(1).scaleb(-6)
    exact = (
        (prompt - cached - written) * p_in
        + cached * (p_in if p_cached is None else p_cached)
        + written * (p_in if p_write is None else p_write)
        + output * p_out
    ) * millionth
    assert cost_nanousd(usage, price) == int(exact.to_integral_value(ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("nanousd", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (1_500, "0.0000015"),
        (1_230_000, "0.00123"),
        (1_000_000_000, "1"),
        (10_000_000_000, "10"),
        (100_500_000_000, "100.5"),
        (-1_500, "-0.0000015"),
        (-2_000_000_000, "-2"),
    ],
)
def test_money_is_written_as_plain_decimal_dollars(nanousd: int, text: str) -> None:
    assert usd(nanousd) == text


@given(st.integers(-(10**18), 10**18))
def test_written_money_reads_back_as_the_same_amount(nanousd: int) -> None:
    text = usd(nanousd)
    assert "E" not in text.upper()
    assert not (("." in text) and text.endswith("0"))
    assert Decimal(text) * 10**9 == nanousd
