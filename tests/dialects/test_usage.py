"""Usage: counts and prices are read from wherever servers put them, and believed only when credible."""

from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from providers.completion import Usage
from providers.dialects.usage import read_usage, reported_cost_nanousd
from tests.dialects.wire import answer, completion


def counts(**more: Any) -> dict[str, Any]:
    return {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, **more}


@pytest.mark.parametrize(
    "where",
    [
        {"prompt_tokens_details": {"cached_tokens": 80}},
        {"prompt_cache_hit_tokens": 80, "prompt_cache_miss_tokens": 20},
        {"num_cached_tokens": 80},
        {"cached_tokens": 80},
    ],
)
def test_cached_tokens_are_found_and_shown_where_clients_look(where: dict[str, Any]) -> None:
    outcome, data = answer(completion(usage=counts(**where)))
    assert outcome.usage == Usage(100, 10, cached_tokens=80)
    assert data["usage"]["prompt_tokens_details"]["cached_tokens"] == 80


def test_reasoning_counted_apart_from_the_completion_is_added() -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 241}
    assert read_usage({**usage, "completion_tokens_details": {"reasoning_tokens": 228}}) == Usage(
        12, 229, reasoning_tokens=228
    )


def test_details_never_exceed_their_total() -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 500, "cache_write_tokens": 7}}
    found = read_usage(counts(**details, completion_tokens_details={"reasoning_tokens": 11}))
    assert found == Usage(100, 10, cached_tokens=100, cache_write_tokens=0, reasoning_tokens=10)


def test_cache_writes_are_read() -> None:
    assert read_usage(counts(prompt_tokens_details={"cache_write_tokens": 7})) == Usage(100, 10, cache_write_tokens=7)


def test_a_missing_total_is_summed() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4.0}
    outcome, data = answer(completion(usage=usage))
    assert outcome.usage == Usage(3, 4)
    assert data["usage"]["total_tokens"] == 7


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "12",
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": -1},
        {"prompt_tokens": 10**10, "completion_tokens": 1},
        {"prompt_tokens": 1e308, "completion_tokens": 1},
        {"prompt_tokens": 1.5, "completion_tokens": 1},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": "1", "completion_tokens": 1},
    ],
)
def test_usage_beyond_belief_is_none_and_not_shown(usage: Any) -> None:
    outcome, data = answer(completion(usage=usage))
    assert outcome.usage is None
    assert data["usage"] is None
    ChatCompletion.model_validate(data)


def test_odd_details_are_cleaned_for_clients() -> None:
    _, data = answer(completion(usage=counts(prompt_tokens_details={"cached_tokens": "x", "text_tokens": 1})))
    assert data["usage"]["prompt_tokens_details"] == {"text_tokens": 1}
    ChatCompletion.model_validate(data)


@pytest.mark.parametrize(
    ("usage", "nanousd"),
    [
        ({"cost": 0.00014}, 140_000),
        ({"cost": 0}, 0),
        ({"cost": {"total_cost": 0.005}}, 5_000_000),
        ({"cost_in_usd_ticks": 1_176_500}, 117_650),
        ({"cost": -1}, None),
        ({"cost": True}, None),
        ({"cost": "0.1"}, None),
        ({"cost": 1e300}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_price_that_the_server_states_is_read_exactly(usage: Any, nanousd: int | None) -> None:
    assert reported_cost_nanousd(usage) == nanousd
