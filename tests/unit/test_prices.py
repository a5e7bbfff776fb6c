"""The price book: exact linear prices, unknown where a model is not linear, cheap to ask."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import TieredPrices

from providers.price import Price, nanousd_per_mtok
from providers.prices import NON_LINEAR_KEYS, PriceBook

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(now=Clock())


def cost_nanousd(price: Price, reads: int, writes: int, cached: int = 0) -> Decimal:
    """The exact cost by a linear price, as an oracle."""
    cached_price = price.cached_input_nanousd_per_mtok
    cached_price = price.input_nanousd_per_mtok if cached_price is None else cached_price
    total = (reads - cached) * price.input_nanousd_per_mtok + cached * cached_price
    return Decimal(total + writes * price.output_nanousd_per_mtok) / 1_000_000


def test_a_known_price_is_exact(book: PriceBook) -> None:
    assert book.price("openai", "gpt-4.1-nano") == Price(100_000_000, 400_000_000, 25_000_000)


@pytest.mark.parametrize(
    ("pricing_id", "model"),
    [("openai", "no-such-model"), ("no-such-provider", "gpt-4.1"), (None, "gpt-4.1"), ("openai", "")],
)
def test_an_unknown_price_is_none_and_never_zero(book: PriceBook, pricing_id: str | None, model: str) -> None:
    assert book.price(pricing_id, model) is None
    assert book.price(pricing_id, model) is None


def test_every_listed_model_costs_what_the_data_says_or_nothing_is_claimed(book: PriceBook) -> None:
    """The book against the library's own calculation, over all its models, short and long prompts."""
    known = 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            found = provider.find_model(model.id)
            for reads in (1_000, 300_000):
                price = book.price(provider.id, model.id, prompt_tokens=reads)
                if price is None or found is None:
                    continue
                known += 1
                assert price.covers(reads)
                usage = Usage(input_tokens=reads, output_tokens=500, cache_read_tokens=200)
                expected = found.calc_price(usage, provider, genai_request_timestamp=NOON).total_price * 10**9
                assert abs(cost_nanousd(price, reads, 500, 200) - expected) < 1, (provider.id, model.id)
    assert known > 3_000


def test_long_prompts_have_their_own_price(book: PriceBook) -> None:
    short, long = (book.price("openai", "gpt-5.4", prompt_tokens=tokens) for tokens in (272_000, 272_001))
    assert short is not None
    assert long is not None
    assert (short.max_prompt_tokens, long.max_prompt_tokens) == (272_000, None)
    assert short.covers(272_000)
    assert not short.covers(272_001)
    assert long.input_nanousd_per_mtok > short.input_nanousd_per_mtok


def test_the_service_tier_of_the_answer_decides(book: PriceBook) -> None:
    standard, flex = book.price("openai", "gpt-5-mini"), book.price("openai", "gpt-5-mini", service_tier="flex")
    assert standard is not None
    assert flex is not None
    assert flex.input_nanousd_per_mtok * 2 == standard.input_nanousd_per_mtok
    for word in ("default", "auto", "on_demand", "", None):
        assert book.price("openai", "gpt-5-mini", service_tier=word) == standard


def test_a_tier_without_a_published_price_is_unknown_not_full_price(book: PriceBook) -> None:
    assert book.price("openai", "gpt-5-mini", service_tier="scale") is None
    assert book.price("mistral", "mistral-large-latest", service_tier="flex") is None


def test_models_with_fees_apart_from_tokens_are_unknown(book: PriceBook) -> None:
    odd = [
        (provider.id, model.id)
        for provider in get_snapshot().providers
        for model in provider.models
        if any(getattr(model.get_prices(NOON), key) is not None for key in NON_LINEAR_KEYS)
        and provider.find_model(model.id) is model
    ]
    assert odd
    assert [book.price(*names) for names in odd] == [None] * len(odd)


def test_a_price_by_the_hour_follows_the_clock() -> None:
    clock = Clock()
    book = PriceBook(now=clock)
    seen = set()
    for hour in range(24):
        clock.now = datetime(2026, 11, 22, hour, 15, tzinfo=UTC)
        price = book.price("deepseek", "deepseek-v4-pro")
        assert price is not None
        seen.add(price)
        expected = calc_price(
            Usage(input_tokens=10**6), "deepseek-v4-pro", provider_id="deepseek", genai_request_timestamp=clock.now
        )
        assert price.input_nanousd_per_mtok == expected.total_price * 10**9
    assert len(seen) > 1


class CountingBook(PriceBook):
    """A price book that counts its look-ups."""

    look_ups = 0

    def _look_up(self, key: tuple[str, str, str | None], now: datetime) -> tuple[Price, ...]:
        self.look_ups += 1
        return super()._look_up(key, now)


def test_a_price_is_looked_up_once_a_minute_and_so_is_an_unknown_one() -> None:
    clock = Clock()
    book = CountingBook(now=clock)
    for _ in range(5):
        book.price("openai", "gpt-4.1")
        book.price("openai", "no-such-model")
    assert book.look_ups == 2
    clock.now += timedelta(minutes=1)
    book.price("openai", "gpt-4.1")
    assert book.look_ups == 3


def test_names_made_up_by_callers_do_not_fill_the_memory() -> None:
    book = PriceBook(now=Clock(), max_entries=8)
    for number in range(100):
        book.price("groq", f"made-up-{number}")
    assert len(book._ladders) == 8


@pytest.mark.parametrize(
    ("usd", "nanousd"),
    [("0.15", 150_000_000), ("0", 0), ("0.000000001", 1), ("0.0000000005", 0), ("0.0833333333333", 83_333_333)],
)
def test_dollars_become_whole_nano_dollars(usd: str, nanousd: int) -> None:
    assert nanousd_per_mtok(Decimal(usd)) == nanousd


@pytest.mark.parametrize("usd", ["-1", "NaN", "Infinity"])
def test_an_impossible_price_is_refused(usd: str) -> None:
    with pytest.raises(ValueError, match="finite amount"):
        nanousd_per_mtok(Decimal(usd))


def test_the_data_has_tiers_at_all() -> None:
    """The tests above would prove little over data without them."""
    prices = [model.get_prices(NOON) for provider in get_snapshot().providers for model in provider.models]
    assert any(isinstance(price.input_mtok, TieredPrices) for price in prices)
