"""Limits, tiers and rules of the routes: what a route table makes of them."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from providers.catalogue import Auth, Grade, ProviderRow, load_catalogue
from providers.limit import DAY_MS, MINUTE_MS, Limit, Measure
from router.config import ConfigError, parse_config
from router.routes import Deployment, Route, RouteTable, build_routes
from router.routing import FailoverPolicy, OnLimit, Strategy, Tier
from router.scope import deployment_scope, provider_scope


def row(name: str, *aliases: str) -> ProviderRow:
    return ProviderRow(
        id=name, name=name, dialect="openai", base_url=f"https://{name}.example/v1", auth=Auth.BEARER,
        key_env=(f"{name.upper()}_KEY",), aliases=aliases, source=Grade.OWN, source_date="2026-11",
    )  # fmt: skip


CATALOGUE: Mapping[str, ProviderRow] = {"alpha": row("alpha", "alfa"), "beta": row("beta")}
KEYS = {"ALPHA_KEY": "ka", "BETA_KEY": "kb"}
RPM_5 = (Limit(Measure.REQUESTS, 5, MINUTE_MS),)


def table(text: str) -> RouteTable:
    return build_routes(parse_config(yaml.safe_load(text), {}), CATALOGUE, KEYS)


def refusal(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        table(text)
    return caught.value


def resolved(routes: RouteTable, name: str) -> Route:
    route = routes.resolve(name)
    assert route is not None
    return route


def written(deployment: Deployment) -> tuple[str, str, int]:
    return f"{deployment.provider}/{deployment.model}", deployment.tier.value, deployment.step


def test_limits_are_kept_by_whose_they_are() -> None:
    routes = table(
        "{providers: {alpha: {rpd: 9}}, models: {a: {deployments: [{use: alpha/m, rpm: 5}, {use: beta/m}]}}}"
    )
    assert routes.limits == {
        provider_scope("alpha"): (Limit(Measure.REQUESTS, 9, DAY_MS),),
        deployment_scope("alpha", "m"): RPM_5,
    }
    assert [each.limits for each in resolved(routes, "a").deployments] == [RPM_5, ()]
    assert resolved(routes, "a").deployments[0].scope == deployment_scope("alpha", "m")


def test_a_deployment_keeps_its_limits_under_every_name() -> None:
    routes = table(
        """
        models:
          a: {deployments: [{use: alpha/m, rpm: 5}]}
          b: {deployments: [{use: alfa/m}, {use: beta/x}], fallbacks: [c]}
          c: {deployments: [{use: alpha/n}], context_window_fallbacks: [alpha/m]}
        """
    )
    assert resolved(routes, "b").deployments[0].limits == RPM_5
    assert resolved(routes, "c").deployments[-1].limits == RPM_5
    assert resolved(routes, "alpha/m").deployments[0].limits == RPM_5
    assert resolved(routes, "alfa/m").deployments[0].limits == RPM_5
    assert resolved(routes, "alpha/n").deployments[0].limits == ()


def test_one_deployment_has_one_set_of_limits() -> None:
    text = "models: {a: {deployments: [{use: alpha/m, rpm: 5}]}, b: {deployments: [{use: alfa/m, rpm: %d}]}}"
    assert table(text % 5).limits == {deployment_scope("alpha", "m"): RPM_5}
    error = refusal(text % 6)
    assert error.path == "models.b.deployments[0]"
    assert error.message == "these limits of alpha/m differ from those at models.a.deployments[0]"


def test_slots_of_a_process_are_the_providers_limit_or_256() -> None:
    routes = table("providers: {alpha: {max_parallel_requests: 4}}")
    assert (routes.max_parallel("alpha"), routes.max_parallel("beta")) == (4, 256)
    assert routes.limits == {provider_scope("alpha"): (Limit(Measure.PARALLEL, 4, 0),)}


TIERS = """
models:
  a: {deployments: [{use: alpha/a, order: 2}, {use: beta/a}], fallbacks: [b, beta/z],
      context_window_fallbacks: [b, long], content_policy_fallbacks: [alpha/mild, alpha/mild]}
  b: {deployments: [{use: alpha/b}, {use: alpha/a}], fallbacks: [c], context_window_fallbacks: [c]}
  c: {deployments: [{use: beta/c}]}
  long: {deployments: [{use: alpha/b}, {use: alpha/long, weight: 4}], fallbacks: [c]}
"""


def test_a_chain_has_four_tiers_and_the_typed_ones_lead_to_own_deployments_only() -> None:
    assert [written(each) for each in resolved(table(TIERS), "a").deployments] == [
        ("beta/a", "own", 0),
        ("alpha/a", "own", 0),
        ("alpha/b", "fallback", 1),
        ("beta/z", "fallback", 2),
        ("beta/c", "fallback", 3),
        ("alpha/b", "context_window", 1),
        ("alpha/a", "context_window", 1),
        ("alpha/long", "context_window", 2),
        ("alpha/mild", "content_policy", 1),
    ]
    by_name = {each.model: each for each in resolved(table(TIERS), "a").deployments}
    assert (by_name["long"].weight, by_name["mild"].weight) == (4, 1)
    assert {each.tier for each in resolved(table(TIERS), "long").deployments} == {Tier.OWN, Tier.FALLBACK}


@pytest.mark.parametrize("key", ["fallbacks", "context_window_fallbacks", "content_policy_fallbacks"])
def test_a_fallback_of_any_kind_that_leads_nowhere_is_refused(key: str) -> None:
    text = "models: {chat: {deployments: [{use: alpha/a}], %s: [%s]}}"
    error = refusal(text % (key, "caht"))
    assert (error.path, error.suggestion) == (f"models.chat.{key}[0]", "did you mean 'chat'?")
    assert refusal(text % (key, "nope/x")).path == f"models.chat.{key}[0]"
    assert refusal(text % (key, "chat")).message == "a model cannot fall back to itself"


def test_a_chain_has_at_most_sixty_deployments() -> None:
    text = "models: {a: {deployments: [%s]}}"
    sixty = ", ".join(f"{{use: alpha/m{n}}}" for n in range(60))
    assert len(resolved(table(text % sixty), "a").deployments) == 60
    error = refusal(text % (sixty + ", {use: beta/m}"))
    assert error.path == "models.a"
    assert "it has 61 deployments, and at most 60 are possible" in error.message


def test_a_route_follows_its_model_and_else_the_section_of_routing() -> None:
    text = """
    routing: {%s}
    models:
      own: {deployments: [{use: alpha/m, weight: 2}], strategy: lowest_latency, failover: strict, on_limit: wait}
      plain: {deployments: [{use: alpha/m}]}
      weighted: {deployments: [{use: alpha/m}, {use: beta/m, weight: 1}]}
    """
    ruled = table(text % "strategy: least_busy, failover: same_model, on_limit: reject")
    rules = {name: (route.strategy, route.failover, route.on_limit) for name, route in ruled.routes.items()}
    others = (Strategy.LEAST_BUSY, FailoverPolicy.SAME_MODEL, OnLimit.REJECT)
    own = (Strategy.LOWEST_LATENCY, FailoverPolicy.STRICT, OnLimit.WAIT)
    assert rules == {"own": own, "plain": others, "weighted": others}
    assert resolved(ruled, "beta/m").on_limit is OnLimit.REJECT
    default = table(text % "").routes
    assert (default["plain"].strategy, default["weighted"].strategy) == (Strategy.IN_ORDER, Strategy.WEIGHTED)
    assert (default["plain"].failover, default["plain"].on_limit) == (FailoverPolicy.CHAIN, OnLimit.WAIT)


def test_a_name_that_is_asked_for_again_has_the_same_route_and_names_are_not_hoarded() -> None:
    routes = table("models: {a: {deployments: [{use: alpha/m}]}}")
    first = routes.resolve("alpha/m")
    assert first is routes.resolve("alpha/m")
    fresh = table("models: {a: {deployments: [{use: alpha/m}]}}")
    assert routes == fresh
    for n in range(3_000):
        resolved(routes, f"alpha/{n}")
    assert len(routes._resolved) <= 1_024
    assert resolved(routes, "alpha/m") == first


def test_the_example_of_the_page_on_routing_is_complete_and_works() -> None:
    page = (Path(__file__).parents[2] / "docs" / "routing.md").read_text()
    example = page.partition("```yaml")[2].partition("```")[0]
    environ = {f"{name}_API_KEY": "k" for name in ("OPENAI", "AZURE", "OPENROUTER", "ANTHROPIC")}
    routes = build_routes(parse_config(yaml.safe_load(example), environ), load_catalogue(), environ)
    chat = resolved(routes, "chat")
    assert chat.strategy is Strategy.WEIGHTED
    assert [(each.provider, each.tier.value, each.order, each.weight) for each in chat.deployments] == [
        ("openai", "own", 1, 3),
        ("azure-eu", "own", 1, 1),
        ("openrouter", "own", 2, 1),
        ("anthropic", "fallback", 1, 1),
        ("openai", "context_window", 1, 1),
    ]
    assert len(routes.limits) == 3
