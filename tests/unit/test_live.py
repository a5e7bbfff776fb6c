"""Live settings: what an operator edits wins over the file, limit by limit, until it is cleared."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.limit import DAY_MS, MINUTE_MS, Limit, Measure
from router.limit_names import LimitName, limit_of, words_of
from router.live import Live, LiveRows, live_of
from router.override import BadOverride, Override, override_json, parse_limits, parse_override
from router.scope import ScopeLimits, deployment_scope, key_scope, provider_scope, read_scope
from router.standing import Closed

OPENAI, MINI = provider_scope("openai"), deployment_scope("openai", "team/mini")
FILE = {
    OPENAI: (Limit(Measure.REQUESTS, 600), Limit(Measure.REQUESTS, 9_000, DAY_MS), Limit(Measure.TOKENS, 10_000)),
    MINI: (Limit(Measure.PARALLEL, 8, 0),),
}


def rows(*overrides: tuple[str, Any], keys: tuple[tuple[bytes, Any], ...] = ()) -> LiveRows:
    return LiveRows(
        tuple((name, json.dumps(value)) for name, value in overrides),
        tuple((key_id, json.dumps(value)) for key_id, value in keys),
    )


def test_without_edits_the_file_holds() -> None:
    live = live_of(FILE, LiveRows())
    assert live.limits_of(OPENAI) == ScopeLimits(OPENAI, FILE[OPENAI])
    assert live.limits_of(MINI).limits == FILE[MINI]
    assert live.limits_of(provider_scope("other")) == ScopeLimits(provider_scope("other"))
    assert (live.state_of(OPENAI), live.key_limits(b"k" * 16)) == (None, ())


def test_a_number_replaces_null_removes_and_the_rest_stays() -> None:
    live = live_of(FILE, rows((str(OPENAI), {"limits": {"rpm": 10, "tpm": None, "output_tpm": 5}})))
    assert set(live.limits_of(OPENAI).limits) == {
        Limit(Measure.REQUESTS, 9_000, DAY_MS), Limit(Measure.REQUESTS, 10), Limit(Measure.OUTPUT_TOKENS, 5),
    }  # fmt: skip
    assert live.limits_of(MINI).limits == FILE[MINI]


def test_states_and_keys_are_found() -> None:
    edits = ((str(OPENAI), {"state": "paused"}), (str(MINI), {"state": "draining", "limits": {}}))
    live = live_of(FILE, rows(*edits, keys=((b"k" * 16, {"rpm": 3}),)))
    assert (live.state_of(OPENAI), live.state_of(MINI)) == (Closed.PAUSED, Closed.DRAINING)
    assert live.limits_of(OPENAI).limits == FILE[OPENAI]
    assert live.key_limits(b"k" * 16) == (Limit(Measure.REQUESTS, 3, MINUTE_MS),)


@pytest.mark.parametrize(
    ("name", "text"),
    [("nonsense", "{}"), ("team/x", "{}"), ("provider/openai", "nope"), ("provider/openai", '{"speed": 1}'),
     ("provider/openai", '{"state": "asleep"}'), ("provider/openai", "[]")],
)  # fmt: skip
def test_a_row_of_another_version_has_no_effect_and_is_named(name: str, text: str) -> None:
    live = live_of(FILE, LiveRows(((name, text), (str(MINI), '{"state": "paused"}')), ((b"k" * 16, '{"x": 1}'),)))
    assert live.unreadable == (name, f"key/{(b'k' * 16).hex()}")
    assert live.state_of(MINI) is Closed.PAUSED
    assert live.limits_of(OPENAI).limits == FILE[OPENAI]


@pytest.mark.parametrize(
    ("value", "says", "param"),
    [
        ({"rmp": 5}, "did you mean 'rpm'", "rmp"),
        ({"speed": 5}, "known here: input_tpm", "speed"),
        ({"rpm": 0}, "greater than or equal to 1", "rpm"),
        ({"rpm": -1}, "greater than or equal to 1", "rpm"),
        ({"rpm": True}, "whole number", "rpm"),
        ({"tpm": "100"}, "valid integer", "tpm"),
        ({"tpm": 1.5}, "valid integer", "tpm"),
        ({"usd_per_minute": 0}, "US dollars", "usd_per_minute"),
        ({"usd_per_minute": "much"}, "US dollars", "usd_per_minute"),
        ([], "dictionary", None),
    ],
)
def test_an_edit_that_cannot_be_made_is_refused_in_words(value: Any, says: str, param: str | None) -> None:
    with pytest.raises(BadOverride, match=says) as caught:
        parse_limits(value)
    assert caught.value.param == param


def test_dollars_are_exact() -> None:
    assert parse_limits({"usd_per_minute": "0.5"}) == parse_limits({"usd_per_minute": 0.5})
    assert parse_limits({"usd_per_minute": "0.000000001"}) == {LimitName.USD_PER_MINUTE: 1}


@given(
    st.sampled_from([None, Closed.PAUSED, Closed.DRAINING]),
    st.dictionaries(st.sampled_from(LimitName), st.none() | st.integers(1, 1_000_000_000)),
)
def test_an_override_survives_being_stored(state: Closed | None, limits: dict[LimitName, int | None]) -> None:
    override = Override(state, limits)
    assert parse_override(json.loads(override_json(override))) == override
    assert override.is_empty == (state is None and not limits)


def test_scopes_are_read_as_they_are_written() -> None:
    for scope in (OPENAI, MINI, key_scope(b"k" * 16)):
        assert read_scope(str(scope)) == scope


def test_every_limit_has_words() -> None:
    assert [words_of(limit.measure, limit.window_ms) for limit in (limit_of(name, 1) for name in LimitName)] == [
        "requests/min", "tokens/min", "input tokens/min", "output tokens/min", "requests/day", "dollars/min",
        "calls in flight",
    ]  # fmt: skip
    assert words_of(Measure.REQUESTS, 10_000) == "requests/10 s"


def test_an_empty_live_limits_nothing() -> None:
    assert Live().limits_of(OPENAI) == ScopeLimits(OPENAI)
