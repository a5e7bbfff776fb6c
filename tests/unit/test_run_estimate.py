"""What a run will cost and take: sums over its lines, ranges of money, and the limit that binds."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.catalogue import Auth, Grade, ProviderRow
from providers.limit import Demand, Limit
from providers.price import Price
from router.batch_inspection import Inspection, unknown_model
from router.config import parse_config
from router.limit_names import LimitName, limit_of
from router.routes import Deployment, RouteTable, build_routes
from router.run_estimate import Conditions, ModelEstimate, Range, RunEstimate, estimate_run
from router.run_survey import Survey
from router.run_time import Alternative, Load, limit_constraints, slots_constraint, time_of
from router.scope import Scope, deployment_scope, key_scope, provider_scope
from router.standing import Closed

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
KEY = key_scope(b"k" * 16)
ALPHA, BETA = provider_scope("alpha"), provider_scope("beta")
ALPHA_M, BETA_M = deployment_scope("alpha", "m"), deployment_scope("beta", "m")
ROUTES = """
providers:
  alpha: {prices: {m: {input: 1, output: 10}}, slots: 100}
  beta: {prices: {m: {input: 2, output: 30}}, slots: 100}
models:
  plain: {deployments: [{use: alpha/m}]}
  both: {deployments: [{use: alpha/m}, {use: beta/m}]}
  guarded: {deployments: [{use: alpha/m}], fallbacks: [beta/m]}
"""


def row(name: str) -> ProviderRow:
    return ProviderRow(
        id=name, name=name, dialect="openai", base_url=f"https://{name}.example/v1", auth=Auth.BEARER,
        key_env=(f"{name.upper()}_KEY",), source=Grade.OWN, source_date="2026-11",
    )  # fmt: skip


@pytest.fixture(scope="module")
def routes() -> RouteTable:
    catalogue = {"alpha": row("alpha"), "beta": row("beta")}
    return build_routes(parse_config(yaml.safe_load(ROUTES), {}), catalogue, {"ALPHA_KEY": "a", "BETA_KEY": "b"})


def survey_of(*bodies: dict[str, Any], endpoint: str = CHAT) -> Survey:
    """The survey of a file with these bodies, read as a batch's file is."""
    lines = [
        json.dumps({"custom_id": str(n), "method": "POST", "url": endpoint, "body": body}).encode()
        for n, body in enumerate(bodies)
    ]
    inspection, survey = Inspection(endpoint, lambda _: None), Survey(endpoint)
    survey.add(inspection.add(list(enumerate(lines, 1))))
    assert inspection.error_count == 0, inspection.errors
    return survey


def chat(model: str = "plain", text_bytes: int = 400, **fields: Any) -> dict[str, Any]:
    """A body of just so many bytes."""
    body = {"model": model, "messages": [{"role": "user", "content": ""}], **fields}
    short = text_bytes - len(json.dumps(body, separators=(",", ":")))
    assert short >= 0
    body["messages"] = [{"role": "user", "content": "x" * short}]
    return body


Prices = Callable[[Deployment, int, str | None], Price | None]


def configured(deployment: Deployment, _tokens: int, _tier: str | None) -> Price | None:
    return deployment.price


def estimate(
    routes: RouteTable,
    survey: Survey,
    *,
    limits: Mapping[Scope, Mapping[LimitName, int]] | None = None,
    by_operator: Mapping[Scope, Closed] | None = None,
    workers: Mapping[str, int] | None = None,
    price: Prices = configured,
) -> RunEstimate:
    in_force = {
        scope: [limit_of(name, amount) for name, amount in each.items()] for scope, each in (limits or {}).items()
    }
    serving = {"alpha.batch": 1, "beta.batch": 1} if workers is None else workers
    return estimate_run(survey, Conditions(routes.resolve, price, in_force, KEY, by_operator or {}, serving))


def only(found: RunEstimate) -> ModelEstimate:
    (model,) = found.models
    return model


def test_tokens_and_cost_are_summed_over_the_lines_of_a_model(routes: RouteTable) -> None:
    found = estimate(routes, survey_of(chat(), chat(max_tokens=1_000), chat(max_tokens=100)))
    # 3 * 400 bytes / 4; typically 256 + 256 + 100 tokens are written, at most 4,096 + 1,000 + 100
    assert only(found) == ModelEstimate(
        "plain", 3, 300, Range(612, 5_196), Range(300_000 + 6_120_000, 300_000 + 51_960_000), ("alpha/m",)
    )
    assert found.cost_nanousd == only(found).cost_nanousd


def test_the_range_of_money_spans_the_cheapest_and_the_dearest_deployment(routes: RouteTable) -> None:
    for name in ("both", "guarded"):
        model = only(estimate(routes, survey_of(chat(name, max_tokens=256))))
        assert model.output_tokens == Range(256, 256)
        assert model.cost_nanousd == Range(100 * 1_000 + 256 * 10_000, 100 * 2_000 + 256 * 30_000)
        assert model.served_by == ("alpha/m", "beta/m")


def test_every_choice_counts_and_embeddings_write_nothing(routes: RouteTable) -> None:
    assert only(estimate(routes, survey_of(chat(n=3, max_tokens=100)))).output_tokens == Range(300, 300)
    body = {"model": "plain", "input": "some text"}
    assert only(estimate(routes, survey_of(body, endpoint=EMBEDDINGS))).output_tokens == Range(0, 0)


def test_a_model_without_a_price_has_no_cost_and_takes_none_from_the_others(routes: RouteTable) -> None:
    found = estimate(routes, survey_of(chat("plain", max_tokens=1), chat("alpha/other", max_tokens=1)))
    priced, unpriced = found.models
    assert (unpriced.model, unpriced.cost_nanousd) == ("alpha/other", None)
    assert found.cost_nanousd == priced.cost_nanousd == Range(110_000, 110_000)
    assert estimate(routes, survey_of(chat("alpha/other"))).cost_nanousd is None


def test_one_fallback_without_a_price_makes_the_cost_unknown(routes: RouteTable) -> None:
    def only_alpha(deployment: Deployment, _tokens: int, _tier: str | None) -> Price | None:
        return deployment.price if deployment.provider == "alpha" else None

    assert only(estimate(routes, survey_of(chat("guarded")), price=only_alpha)).cost_nanousd is None


def test_lines_of_a_cheap_tier_have_its_price_where_there_is_one(routes: RouteTable) -> None:
    def half(deployment: Deployment, _tokens: int, tier: str | None) -> Price | None:
        assert deployment.price is not None
        return {None: deployment.price, "flex": Price(500_000_000, 5_000_000_000)}.get(tier)

    tiers: list[dict[str, Any]] = [{}, {"service_tier": "flex"}, {"service_tier": "scale"}]
    ordinary, flex, unheard_of = (
        only(estimate(routes, survey_of(chat(max_tokens=1, **tier)), price=half)).cost_nanousd for tier in tiers
    )
    assert (ordinary, flex, unheard_of) == (Range(110_000, 110_000), Range(55_000, 55_000), Range(110_000, 110_000))
    mixed = survey_of(chat(max_tokens=1), chat(max_tokens=1, service_tier="flex"))
    assert only(estimate(routes, mixed, price=half)).cost_nanousd == Range(165_000, 165_000)


def test_the_price_is_asked_for_prompts_of_mean_length(routes: RouteTable) -> None:
    asked: list[int] = []

    def note(deployment: Deployment, tokens: int, _tier: str | None) -> Price | None:
        asked.append(tokens)
        return deployment.price

    estimate(routes, survey_of(chat(text_bytes=400), chat(text_bytes=1_200)), price=note)
    assert set(asked) == {200}


LIMITED: list[tuple[dict[Scope, dict[LimitName, int]], str, int]] = [
    ({ALPHA_M: {LimitName.RPM: 10}}, "alpha/m requests/min", 600),
    ({ALPHA: {LimitName.RPM: 10}}, "alpha requests/min", 600),
    ({KEY: {LimitName.RPM: 10}}, "this key's requests/min", 600),
    ({ALPHA_M: {LimitName.INPUT_TPM: 500}}, "alpha/m input tokens/min", 1_200),
    ({ALPHA_M: {LimitName.OUTPUT_TPM: 200}}, "alpha/m output tokens/min", 1_500),
    ({ALPHA_M: {LimitName.TPM: 300}}, "alpha/m tokens/min", 3_000),
    ({ALPHA_M: {LimitName.USD_PER_MINUTE: 1_500_000}}, "alpha/m dollars/min", 2_400),
    ({ALPHA_M: {LimitName.MAX_PARALLEL_REQUESTS: 1}}, "alpha/m calls in flight", 200),
    ({ALPHA_M: {LimitName.RPD: 30}}, "alpha/m requests/day", 3 * 86_400),
    ({ALPHA_M: {LimitName.RPM: 10}, ALPHA: {LimitName.RPM: 5}}, "alpha requests/min", 1_200),
    ({ALPHA: {LimitName.RPM: 100, LimitName.INPUT_TPM: 5_000}}, "alpha input tokens/min", 120),
]


@pytest.mark.parametrize(("limits", "words", "seconds"), LIMITED)
def test_the_limit_that_takes_longest_binds(
    routes: RouteTable, limits: dict[Scope, dict[LimitName, int]], words: str, seconds: int
) -> None:
    """100 lines of 100 input tokens and 50 output tokens: each call takes 2 s and 0.0006 dollars."""
    found = estimate(routes, survey_of(*[chat(max_tokens=50)] * 100), limits=limits)
    assert (found.limited_by, found.duration_ms) == (words, Range(seconds * 1_000 + 2_000, seconds * 1_000 + 2_000))


def test_without_limits_the_slots_of_the_workers_bind(routes: RouteTable) -> None:
    lines = survey_of(*[chat(max_tokens=50)] * 1_000)
    one, two = (estimate(routes, lines, workers={"alpha.batch": workers}) for workers in (1, 2))
    assert (one.limited_by, one.duration_ms) == ("alpha slots, 100", Range(22_000, 22_000))
    assert (two.limited_by, two.duration_ms) == ("alpha slots, 200", Range(12_000, 12_000))


def test_a_run_that_fits_into_its_limits_is_limited_by_nothing(routes: RouteTable) -> None:
    found = estimate(routes, survey_of(chat(max_tokens=50)), limits={ALPHA_M: {LimitName.RPD: 10}})
    assert found.limited_by == "nothing"
    assert found.duration_ms is not None
    assert found.duration_ms.low < 3_000


def test_models_run_side_by_side_and_share_their_providers_limit(routes: RouteTable) -> None:
    lines = [chat("plain", max_tokens=50)] * 60 + [chat("alpha/other", max_tokens=50)] * 60
    own = {ALPHA_M: {LimitName.RPM: 10}, deployment_scope("alpha", "other"): {LimitName.RPM: 10}}
    assert estimate(routes, survey_of(*lines), limits=own).duration_ms == Range(362_000, 362_000)
    shared = estimate(routes, survey_of(*lines), limits={ALPHA: {LimitName.RPM: 10}})
    assert (shared.limited_by, shared.duration_ms) == ("alpha requests/min", Range(722_000, 722_000))


def test_two_deployments_of_a_model_share_its_lines_by_their_pace(routes: RouteTable) -> None:
    limits = {ALPHA_M: {LimitName.RPM: 10}, BETA_M: {LimitName.RPM: 30}}
    found = estimate(routes, survey_of(*[chat("both", max_tokens=50)] * 80), limits=limits)
    assert found.duration_ms == Range(122_000, 122_000)


def test_a_fallback_serves_only_where_the_model_itself_cannot(routes: RouteTable) -> None:
    limits = {ALPHA_M: {LimitName.RPM: 10}, BETA_M: {LimitName.RPM: 30}}
    lines = survey_of(*[chat("guarded", max_tokens=50)] * 60)
    assert estimate(routes, lines, limits=limits).limited_by == "alpha/m requests/min"
    paused = estimate(routes, lines, limits=limits, by_operator={ALPHA: Closed.PAUSED})
    assert (paused.limited_by, paused.duration_ms) == ("beta/m requests/min", Range(122_000, 122_000))


@pytest.mark.parametrize(
    ("by_operator", "workers", "words"),
    [
        ({ALPHA: Closed.PAUSED}, {"alpha.batch": 1}, "alpha is paused"),
        ({ALPHA_M: Closed.DRAINING}, {"alpha.batch": 1}, "alpha/m is draining"),
        ({}, {"alpha": 1, "beta.batch": 1}, "workers: nothing consumes the queue alpha.batch"),
    ],
)
def test_where_a_person_must_act_there_is_no_duration(
    routes: RouteTable, by_operator: dict[Scope, Closed], workers: dict[str, int], words: str
) -> None:
    found = estimate(routes, survey_of(chat()), by_operator=by_operator, workers=workers)
    assert (found.duration_ms, found.limited_by) == (None, words)
    assert found.cost_nanousd is not None


def test_a_call_takes_no_longer_than_its_time_limit(routes: RouteTable) -> None:
    found = estimate(routes, survey_of(chat(max_tokens=1_000_000)))
    assert found.duration_ms is not None
    assert found.duration_ms.high == 600_000 + 6_000


def test_an_unknown_model_is_left_out_and_an_empty_run_takes_nothing(routes: RouteTable) -> None:
    assert unknown_model("plian", routes) == (
        "The model 'plian' does not exist, or its provider has no key here. Did you mean plain?"
    )
    for survey in (survey_of(chat("plian")), survey_of()):
        assert estimate(routes, survey) == RunEstimate((), None, Range(0, 0), "nothing")


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=4), st.integers(1, 5_000), st.integers(0, 3_000))
@settings(max_examples=60)
def test_no_call_is_lost_or_doubled_when_a_part_is_split(rpms: Sequence[int], calls: int, tokens: int) -> None:
    """The key's limit counts every call once, however the part is split over deployments."""
    load = Load(calls, Demand(input_tokens=tokens), busy_ms=0)
    scopes = [provider_scope(str(n)) for n in range(len(rpms))]
    constraints = {
        scope: [*limit_constraints(scope, [limit_of(LimitName.RPM, rpm)]), slots_constraint(scope.name, 1)]
        for scope, rpm in zip(scopes, rpms, strict=True)
    }
    slowest: list[Limit] = [limit_of(LimitName.RPM, 1)]
    found = time_of(
        [[Alternative((scope,), load) for scope in scopes]], {**constraints, KEY: limit_constraints(KEY, slowest)}, KEY
    )
    assert found.total_ms == calls * 60_000
    free = time_of([[Alternative((scope,), load) for scope in scopes]], constraints, KEY)
    together_ms = calls * 60_000 / sum(rpms)
    assert together_ms - 1 <= free.total_ms <= together_ms + 60_000 / min(rpms) + 1
