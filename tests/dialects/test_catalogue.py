"""The catalogue: its rows keep the schema, its quirks are known, its prices are where it says."""

import re
from pathlib import Path

import orjson
import pytest
from pydantic import ValidationError

import providers.catalogue
from providers.catalogue import Auth, Grade, ProviderRow, Quirk, load_catalogue
from providers.dialects import dialect
from providers.price import Price
from providers.prices import PriceBook

ROWS = load_catalogue()
VALID = {"id": "acme", "name": "Acme", "dialect": "openai", "base_url": "https://x.test/v1", "source": "A"}


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.id)
def test_a_row_can_be_used(row: ProviderRow) -> None:
    dialect(row.dialect)
    assert not {Quirk.MAX_TOKENS, Quirk.MAX_COMPLETION_TOKENS} <= row.quirks
    assert row.base_url or row.source is Grade.OWN
    if row.key_env:
        assert row.auth is not Auth.NONE
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", variable) for variable in row.key_env)


def test_pricing_ids_exist_in_the_price_book() -> None:
    book = PriceBook()
    assert [row.id for row in ROWS.values() if row.pricing_id and not book.knows(row.pricing_id)] == []


def test_the_spine_is_there() -> None:
    assert ROWS["openai"].base_url == "https://api.openai.com/v1"
    assert (ROWS["openai"].key_env, ROWS["openai"].pricing_id) == (("OPENAI_API_KEY",), "openai")
    assert ROWS["openai_compatible"].base_url is None
    assert (ROWS["simulator"].base_url, ROWS["simulator"].auth) == (None, Auth.NONE)
    assert len(ROWS) > 30


def test_the_simulators_prices_are_its_own() -> None:
    prices = {model: row.price() for model, row in ROWS["simulator"].models.items()}
    assert prices == {
        "sim-small": Price(150_000_000, 600_000_000),
        "sim-large": Price(2_500_000_000, 10_000_000_000),
        "sim-embed": Price(20_000_000, 0),
    }


def test_no_key_variable_switches_on_two_providers() -> None:
    variables = [variable for row in ROWS.values() for variable in row.key_env]
    assert len(variables) == len(set(variables))


@pytest.mark.parametrize(
    "change",
    [
        {"quirks": ["unheard_of"]},
        {"base_url": "http://x.test/v1"},
        {"base_url": "https://x.test/v1/"},
        {"base_url": "https://{host}/v1"},
        {"id": "Acme-1"},
        {"colour": "red"},
        {"source": "Z"},
        {"source_date": "yesterday"},
        {"models": {"m": {"input_usd_per_mtok": "-1", "output_usd_per_mtok": "1"}}},
    ],
)
def test_the_schema_is_strict(change: dict[str, object]) -> None:
    good = {**VALID, "source_date": "2026-11"}
    ProviderRow.model_validate(good)
    with pytest.raises(ValidationError):
        ProviderRow.model_validate({**good, **change})


def test_the_data_files_are_valid_json_lists() -> None:
    files = sorted(Path(providers.catalogue.__file__).parent.glob("*.json"))
    assert sum(len(orjson.loads(file.read_bytes())) for file in files) == len(ROWS)
