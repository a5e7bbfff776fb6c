"""What one key may give to another, and which models it may ask for."""

from dataclasses import replace
from typing import Any

import pytest

from providers.catalogue import load_catalogue
from router.budget import Period
from router.config import parse_config
from router.key_rules import (
    ADMIN_SCOPES,
    DEFAULT_SCOPES,
    EVERY_ADMIN,
    EVERY_SCOPE,
    KeyGrant,
    KeyScope,
    KeySettings,
    allows_endpoint,
    allows_model,
    exceeds,
    spelled_out,
    starting_grant,
)
from router.limit_names import LimitName
from router.routes import RouteTable, build_routes

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
TEAM = b"t" * 16
MAKER = KeyGrant(
    KeySettings(
        "maker",
        scopes=frozenset({KeyScope.SUBMIT, KeyScope.READ, KeyScope.ADMIN_KEYS}),
        models=("small", "openai/gpt-5*"),
        endpoints=(CHAT,),
        expires_at_ms=1_000_000,
        weight=2,
    ),
    TEAM,
    ("eval", "may"),
)


def asked(**settings: Any) -> KeyGrant:
    """What a key gets that asks for nothing, with these settings instead."""
    start = starting_grant(MAKER)
    return replace(start, settings=replace(start.settings, **settings))


def test_a_key_that_asks_for_nothing_gets_no_more_than_its_maker_has() -> None:
    grant = starting_grant(MAKER)
    assert exceeds(MAKER, grant) is None
    assert grant.settings.scopes == {KeyScope.SUBMIT, KeyScope.READ}
    assert (grant.team_id, grant.tags) == (TEAM, ("eval", "may"))
    assert starting_grant(None).settings.scopes == DEFAULT_SCOPES == EVERY_SCOPE - ADMIN_SCOPES


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"scopes": frozenset({KeyScope.BATCH})}, "scopes"),
        ({"scopes": frozenset({KeyScope.SUBMIT, KeyScope.ADMIN_BUDGETS})}, "scopes"),
        ({"models": None}, "models"),
        ({"models": ("large",)}, "models"),
        ({"models": ("small*",)}, "models"),
        ({"models": ("small", "openai/gpt*")}, "models"),
        ({"models": ("*",)}, "models"),
        ({"endpoints": None}, "endpoints"),
        ({"endpoints": (CHAT, EMBEDDINGS)}, "endpoints"),
        ({"expires_at_ms": None}, "expires_at"),
        ({"expires_at_ms": 1_000_001}, "expires_at"),
        ({"weight": 3}, "weight"),
        ({"allow_unpriced": True}, "allow_unpriced"),
    ],
)
def test_a_key_cannot_give_what_it_has_not(settings: dict[str, Any], what: str) -> None:
    assert exceeds(MAKER, asked(**settings)) == what


@pytest.mark.parametrize(
    "settings",
    [
        {"scopes": frozenset()},
        {"scopes": MAKER.settings.scopes},
        {"models": ()},
        {"models": ("small", "openai/gpt-5", "openai/gpt-5-mini", "openai/gpt-5*", "openai/gpt-5-*")},
        {"endpoints": ()},
        {"expires_at_ms": 999_999},
        {"limits": {LimitName.RPM: 5}},
    ],
)
def test_a_key_can_give_what_it_has(settings: dict[str, Any]) -> None:
    assert exceeds(MAKER, asked(**settings)) is None


def test_a_new_key_is_of_its_makers_team_and_has_its_tags() -> None:
    start = starting_grant(MAKER)
    assert exceeds(MAKER, replace(start, team_id=None)) == "team_id"
    assert exceeds(MAKER, replace(start, team_id=b"u" * 16)) == "team_id"
    assert exceeds(replace(MAKER, team_id=None), start) == "team_id"
    assert exceeds(MAKER, replace(start, tags=("eval",))) == "tags"
    assert exceeds(MAKER, replace(start, tags=("eval", "may", "more"))) is None


def test_budgets_and_limits_are_never_multiplied_by_making_keys() -> None:
    """A key with ten dollars that makes ten keys with ten dollars each would have given away a hundred."""
    limited = replace(MAKER, settings=replace(MAKER.settings, limits={LimitName.RPM: 60}))
    assert exceeds(limited, asked(limits={LimitName.RPM: 6})) == "limits"
    budgeted = replace(MAKER, budgets={Period.TOTAL: 10})
    assert exceeds(budgeted, replace(starting_grant(budgeted), budgets={Period.TOTAL: 1})) == "budgets"


def test_scopes_are_spelled_out() -> None:
    assert spelled_out(["read", EVERY_ADMIN]) == {KeyScope.READ} | ADMIN_SCOPES
    assert KeyScope.SUBMIT not in ADMIN_SCOPES
    with pytest.raises(ValueError, match="root"):
        spelled_out(["root"])


@pytest.mark.parametrize(
    ("patterns", "allowed", "refused"),
    [
        (None, ["anything", ""], []),
        ((), [], ["anything", ""]),
        (("*",), ["anything"], []),
        (("gpt-5",), ["gpt-5"], ["gpt-5-mini", "gpt-", "GPT-5", "openai/gpt-5"]),
        (("gpt-5*", "x"), ["gpt-5", "gpt-5-mini", "x"], ["gpt-4", "xy"]),
        (("a*b",), ["a*b"], ["ab", "axb"]),
    ],
)
def test_models_are_allowed_by_name_or_beginning(
    patterns: tuple[str, ...] | None, allowed: list[str], refused: list[str]
) -> None:
    assert all(allows_model(patterns, name) for name in allowed)
    assert not any(allows_model(patterns, name) for name in refused)


def test_endpoints_are_allowed_by_name() -> None:
    assert allows_endpoint(None, CHAT)
    assert allows_endpoint((CHAT,), CHAT)
    assert not allows_endpoint((CHAT,), EMBEDDINGS)


@pytest.fixture
def table() -> RouteTable:
    deployment = {"deployments": [{"use": "gpu/llama"}]}
    data = {
        "providers": {"gpu": {"type": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "k"}},
        "models": {"small": deployment, "smaller": deployment, "large": deployment},
    }
    return build_routes(parse_config(data, {}), load_catalogue(), {})


def test_a_table_for_some_names_knows_no_other(table: RouteTable) -> None:
    some = table.only(("small", "gpu/a*"))
    assert some.names() == ["small"]
    assert some.resolve("small") == table.resolve("small")
    assert some.resolve("gpu/alpha") is not None
    assert some.resolve("gpu/beta") is None
    assert some.resolve("large") is None
    assert table.resolve("large") is not None
    assert table.only(None) is table


def test_no_name_is_suggested_that_may_not_be_asked_for(table: RouteTable) -> None:
    assert set(table.nearest("smalle")) == {"small", "smaller"}
    assert table.only(("small",)).nearest("smalle") == ["small"]
    assert table.only(("large",)).nearest("smaller") == []
    assert table.only(("large",)).nearest("gpv/llama") == []
    assert table.advice("anthropic/claude") is not None
    assert table.only(("large",)).advice("anthropic/claude") is None
