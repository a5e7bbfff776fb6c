"""Limits and routing in the configuration: what is read, in which unit, and what is refused."""

from typing import Any

import pytest
import yaml

from providers.limit import DAY_MS, MINUTE_MS, Limit, Measure
from router.breaker import BreakerPolicy
from router.config import Config, ConfigError, parse_config
from router.limit_names import LimitName
from router.limit_schema import LimitsConfig
from router.retry_budget import RetryBudgetPolicy
from router.routing import FailoverPolicy, OnLimit, Strategy

ALL = (
    "rpm: 600, tpm: 4_000_000, input_tpm: 3_000_000, output_tpm: 1_000_000, rpd: 10_000, usd_per_minute: 1.5, "
    "max_parallel_requests: 64"
)
LIMITS = (
    Limit(Measure.REQUESTS, 600, MINUTE_MS),
    Limit(Measure.TOKENS, 4_000_000, MINUTE_MS),
    Limit(Measure.INPUT_TOKENS, 3_000_000, MINUTE_MS),
    Limit(Measure.OUTPUT_TOKENS, 1_000_000, MINUTE_MS),
    Limit(Measure.REQUESTS, 10_000, DAY_MS),
    Limit(Measure.NANOUSD, 1_500_000_000, MINUTE_MS),
    Limit(Measure.PARALLEL, 64, 0),
)


def parsed(text: str) -> Config:
    return parse_config(yaml.safe_load(text) or {}, {})


def refusal(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    return caught.value


def test_providers_and_deployments_take_the_same_limits() -> None:
    config = parsed(f"providers: {{p: {{{ALL}}}}}\nmodels: {{a: {{deployments: [{{use: p/m, {ALL}}}]}}}}")
    assert config.providers["p"].limits() == config.models["a"].deployments[0].limits() == LIMITS
    assert set(LimitsConfig.model_fields) == set(LimitName)


def test_what_is_not_limited_has_no_limit() -> None:
    config = parsed("providers: {p: {rpd: 7}}\nmodels: {a: {deployments: [{use: p/m}]}}")
    assert config.providers["p"].limits() == (Limit(Measure.REQUESTS, 7, DAY_MS),)
    assert config.models["a"].deployments[0].limits() == ()


@pytest.mark.parametrize(("written", "nanousd"), [("0.5", 500_000_000), ("'0.000000001'", 1), ("12", 12_000_000_000)])
def test_dollars_of_a_limit_are_exact(written: str, nanousd: int) -> None:
    limits = parsed(f"providers: {{p: {{usd_per_minute: {written}}}}}").providers["p"].limits()
    assert limits == (Limit(Measure.NANOUSD, nanousd, MINUTE_MS),)


def test_a_model_says_how_its_deployments_share_the_work() -> None:
    config = parsed(
        """
        models:
          a: {deployments: [{use: p/m, weight: 3, order: 2}], strategy: lowest_cost, failover: same_model,
              on_limit: reject, fallbacks: [p/x], context_window_fallbacks: [p/y], content_policy_fallbacks: [p/z]}
          b: {deployments: [{use: p/m}]}
        """
    )
    a, b = config.models["a"], config.models["b"]
    assert (a.strategy, a.failover, a.on_limit) == (Strategy.LOWEST_COST, FailoverPolicy.SAME_MODEL, OnLimit.REJECT)
    assert (a.deployments[0].weight, a.deployments[0].order, a.is_weighted) == (3, 2, True)
    assert (b.strategy, b.failover, b.on_limit, b.is_weighted) == (None, None, None, False)
    assert [*a.lists().values()] == [("p/x",), ("p/y",), ("p/z",)]


def test_breaker_and_retry_budget_have_the_defaults_of_their_policies() -> None:
    routing = parsed("").routing
    assert (routing.breaker.policy(), routing.retry_budget.policy()) == (BreakerPolicy(), RetryBudgetPolicy())
    assert (routing.strategy, routing.failover, routing.on_limit) == (None, FailoverPolicy.CHAIN, OnLimit.WAIT)


def test_breaker_and_retry_budget_are_read_in_our_units() -> None:
    routing = parsed(
        """
        routing:
          breaker: {errors: 0.25, calls: 8, window: 1m, consecutive: 3, open_for: 500ms}
          retry_budget: {share: 0.2, per_second: 10}
          identical_failures: 4
          strategy: least_busy
          failover: strict
          on_limit: reject
        """
    ).routing
    assert routing.breaker.policy() == BreakerPolicy(250, 8, 60_000, 3, 500)
    assert routing.retry_budget.policy() == RetryBudgetPolicy(200, 10)
    assert routing.retry_policy().max_identical == 4
    assert (routing.strategy, routing.failover) == (Strategy.LEAST_BUSY, FailoverPolicy.STRICT)
    assert routing.on_limit is OnLimit.REJECT


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("providers: {p: {rpm: 0}}", "providers.p.rpm", "greater than or equal to 1"),
        ("providers: {p: {tpm: 1.5}}", "providers.p.tpm", "valid integer"),
        ("providers: {p: {usd_per_minute: 0}}", "providers.p.usd_per_minute", "between 0.000000001 and 1,000,000"),
        ("providers: {p: {usd_per_minute: some}}", "providers.p.usd_per_minute", "should be US dollars"),
        ("routing: {strategy: fastest}", "routing.strategy", "'lowest_latency'"),
        ("routing: {failover: always}", "routing.failover", "'same_model'"),
        ("routing: {on_limit: drop}", "routing.on_limit", "'reject'"),
        ("routing: {breaker: {errors: 50}}", "routing.breaker.errors", "between 0.001 and 1"),
        ("routing: {breaker: {errors: 0.0005}}", "routing.breaker.errors", "between 0.001 and 1"),
        ("routing: {retry_budget: {share: 0.1234}}", "routing.retry_budget.share", "at most 3 decimal places"),
        ("routing: {breaker: {open: 5s}}", "routing.breaker.open", "unknown key"),
        ("models: {a: {deployments: [{use: p/m, weight: 0}]}}", "models.a.deployments[0].weight", "greater than"),
    ],
)
def test_a_wrong_limit_or_rule_is_refused_with_its_path(text: str, path: str, message: str) -> None:
    error = refusal(text)
    assert error.path == path
    assert message in error.message


@pytest.mark.parametrize("section", ["ProviderConfig", "DeploymentConfig"])
def test_the_schema_for_editors_has_the_limits(section: str) -> None:
    properties: dict[str, Any] = Config.model_json_schema(by_alias=True)["$defs"][section]["properties"]
    assert set(LimitName) <= set(properties)
