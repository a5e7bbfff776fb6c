"""The route table: which deployments serve a name, with which key and at which address."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from providers.catalogue import Auth, Grade, ModelPriceRow, ProviderRow, Quirk, load_catalogue
from providers.price import Price
from router.config import ConfigError, parse_config
from router.routes import Route, RouteTable, build_routes

EXAMPLE = Path(__file__).parents[2] / "examples" / "laneway.yaml"


def row(name: str, base_url: str | None, auth: Auth = Auth.BEARER, *key_env: str) -> ProviderRow:
    return ProviderRow(
        id=name,
        name=name.title(),
        dialect="openai",
        base_url=base_url,
        key_env=key_env,
        auth=auth,
        quirks=frozenset({Quirk.SYSTEM_ROLE}),
        pricing_id=f"{name}-prices",
        models={"listed": ModelPriceRow(input_usd_per_mtok="1", output_usd_per_mtok="2")},
        source=Grade.OWN,
        source_date="2026-11",
    )


CATALOGUE: Mapping[str, ProviderRow] = {
    entry.id: entry
    for entry in [
        row("alpha", "https://alpha.example/v1", Auth.BEARER, "ALPHA_KEY", "ALPHA_TOKEN"),
        row("beta", "https://beta.example/v1", Auth.BEARER, "BETA_KEY"),
        row("gamma", "https://gamma.example/v1", Auth.BEARER),
        row("any_server", None, Auth.BEARER_OPTIONAL),
        row("lab", None, Auth.NONE),
    ]
}
KEYS = {"ALPHA_KEY": "ka", "BETA_KEY": "kb"}


def table(text: str = "", **environ: str) -> RouteTable:
    return build_routes(parse_config(yaml.safe_load(text) or {}, environ), CATALOGUE, environ)


def refusal(text: str, **environ: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        table(text, **environ)
    return caught.value


def test_a_name_of_the_accounts_own_is_known_and_priced_as_its_base_model() -> None:
    text = "models: {m: {deployments: [{use: alpha/my-own, base_model: listed}, {use: alpha/other, base_model: %s}]}}"
    route = table(text % "claude-haiku-4-5", **KEYS).resolve("m")
    assert route is not None
    own, other = route.deployments
    assert (own.target.model, own.base_model, own.price) == (
        "my-own",
        "listed",
        CATALOGUE["alpha"].models["listed"].price(),
    )
    plain = table(**KEYS).resolve("alpha/claude-haiku-4-5")
    assert plain is not None
    assert (other.target.model, other.price) == ("other", None)
    assert other.target.model_traits == plain.deployments[0].target.model_traits != frozenset()
    assert other.target.max_output_tokens == plain.deployments[0].target.max_output_tokens


def served(routes: RouteTable, name: str) -> list[str]:
    route = routes.resolve(name)
    assert route is not None
    return [f"{deployment.provider}/{deployment.model}" for deployment in route.deployments]


def only(routes: RouteTable, name: str) -> Route:
    route = routes.resolve(name)
    assert route is not None
    assert len(route.deployments) == 1
    return route


def test_without_a_file_exactly_the_providers_with_a_key_are_on() -> None:
    assert table().providers() == ()
    assert table(BETA_KEY="k").providers() == ("beta",)
    assert table(ALPHA_TOKEN="k", BETA_KEY="k").providers() == ("alpha", "beta")
    assert table(BETA_KEY=" ").providers() == ()


def test_the_first_variable_that_is_set_is_the_key() -> None:
    routes = table(ALPHA_KEY="", ALPHA_TOKEN=" second\n")
    assert only(routes, "alpha/m").deployments[0].target.api_key == "second"


def test_a_key_that_cannot_be_sent_is_refused_without_showing_it() -> None:
    error = refusal("", BETA_KEY="hid den")
    assert "BETA_KEY" in str(error)
    assert "hid" not in str(error)


def test_provider_and_model_resolve_without_any_file() -> None:
    deployment = only(table(**KEYS), "alpha/org/some-model:v2").deployments[0]
    assert (deployment.provider, deployment.model) == ("alpha", "org/some-model:v2")
    target = deployment.target
    assert (target.provider, target.model, target.dialect) == ("alpha", "org/some-model:v2", "openai")
    assert (target.base_url, target.api_key) == ("https://alpha.example/v1", "ka")
    assert (target.total_timeout_ms, target.connect_timeout_ms) == (600_000, 10_000)
    assert target.quirks == {"system_role"}
    assert (deployment.price, deployment.pricing_id, deployment.slots) == (None, "alpha-prices", 256)


@pytest.mark.parametrize("name", ["alpha", "alpha/", "/m", "", "gamma/m", "nope/m", "alpha/a\nb", "alpha/" + "m" * 201])
def test_a_name_that_nothing_serves_resolves_to_nothing(name: str) -> None:
    assert table(**KEYS).resolve(name) is None


def test_the_settings_of_an_entry_reach_its_target() -> None:
    routes = table(
        """
        providers:
          lab-1: {type: lab, base_url: "http://lab1:9/v1", api_key: k, timeout: 5s, connect_timeout: 1s,
                  headers: {X-A: b}, max_parallel_requests: 4}
        """
    )
    target = only(routes, "lab-1/m").deployments[0].target
    assert (target.provider, target.base_url, target.api_key) == ("lab-1", "http://lab1:9/v1", "k")
    assert (target.total_timeout_ms, target.connect_timeout_ms, target.headers) == (5_000, 1_000, (("X-A", "b"),))
    assert routes.max_parallel("lab-1") == 4
    with pytest.raises(KeyError):
        routes.max_parallel("lab")


def test_the_time_of_a_call_is_that_of_the_routing_section_unless_the_provider_has_its_own() -> None:
    routes = table("routing: {timeout: 90s}\nproviders: {beta: {timeout: 7s}}", **KEYS)
    assert only(routes, "alpha/m").deployments[0].target.total_timeout_ms == 90_000
    assert only(routes, "beta/m").deployments[0].target.total_timeout_ms == 7_000


def test_a_named_provider_without_a_key_is_refused_with_the_variable_to_set() -> None:
    error = refusal("providers: {alpha: {}}")
    assert (error.path, error.suggestion) == ("providers.alpha.api_key", "set ALPHA_KEY or ALPHA_TOKEN, or api_key")
    assert refusal("providers: {alpha: {api_key: '${X:-}'}}").path == "providers.alpha.api_key"
    assert refusal("providers: {gamma: {}}").suggestion == "set api_key"
    assert refusal("models: {m: {deployments: [{use: beta/x}]}}").path == "providers.beta.api_key"


def test_an_entry_of_the_file_wins_over_the_environment() -> None:
    routes = table("providers: {beta: {api_key: from-file}}", **KEYS)
    assert routes.providers() == ("beta", "alpha")
    assert only(routes, "beta/m").deployments[0].target.api_key == "from-file"


def test_a_vendors_variable_never_travels_to_another_host() -> None:
    routes = table("providers: {beta: {base_url: 'https://other.example/v1'}}", **KEYS)
    deployment = only(routes, "beta/listed").deployments[0]
    assert deployment.target.api_key is None
    assert (deployment.pricing_id, deployment.price) == (None, None)
    near = table("providers: {beta: {base_url: 'https://BETA.example/v2'}}", **KEYS)
    deployment = only(near, "beta/listed").deployments[0]
    assert deployment.target.api_key == "kb"
    assert deployment.pricing_id == "beta-prices"


@pytest.mark.parametrize(
    "url", ["http://gpu1:8000", "http://127.0.0.1:1", "http://[::1]:1", "http://10.1.2.3", "http://vllm.ml.svc/v1"]
)
def test_plain_http_with_a_key_is_for_private_hosts(url: str) -> None:
    assert table(f"providers: {{any_server: {{base_url: '{url}', api_key: k}}}}").providers() == ("any_server",)


@pytest.mark.parametrize("url", ["http://api.example.com/v1", "http://8.8.8.8/v1", "http://[2001:4860::8]/v1"])
def test_plain_http_with_a_key_to_a_public_host_needs_a_word(url: str) -> None:
    assert (
        refusal(f"providers: {{any_server: {{base_url: '{url}', api_key: k}}}}").path == "providers.any_server.base_url"
    )
    assert table(f"providers: {{any_server: {{base_url: '{url}', api_key: k, allow_http: true}}}}").providers()
    assert table(f"providers: {{any_server: {{base_url: '{url}'}}}}").providers()


def test_a_server_without_an_address_of_its_own_takes_it_from_the_file_or_its_variable() -> None:
    error = refusal("providers: {sim: {type: lab}}")
    assert (error.path, error.suggestion) == ("providers.sim.base_url", "set base_url or LANEWAY_LAB_URL")
    given = table("providers: {sim: {type: lab}}", LANEWAY_LAB_URL="http://127.0.0.1:7/v1/")
    assert only(given, "sim/m").deployments[0].target.base_url == "http://127.0.0.1:7/v1"
    assert given.providers() == ("sim", "lab")
    written = table("providers: {sim: {type: lab, base_url: 'http://h/v1'}}", LANEWAY_LAB_URL="http://127.0.0.1:7")
    assert only(written, "sim/m").deployments[0].target.base_url == "http://h/v1"


def test_an_unknown_provider_or_type_is_refused_with_the_nearest_one() -> None:
    error = refusal("models: {m: {deployments: [{use: alhpa/x}]}}")
    assert (error.path, error.suggestion) == ("models.m.deployments[0].use", "did you mean 'alpha'?")
    error = refusal("providers: {mine: {type: betta}}")
    assert (error.path, error.suggestion) == ("providers.mine.type", "did you mean 'beta'?")
    error = refusal("providers: {mine: {}}")
    assert (error.path, error.suggestion) == ("providers.mine", "set type, or dialect and base_url")


def test_deployments_are_tried_by_order_then_as_written() -> None:
    text = (
        "models: {m: {deployments: [{use: alpha/c, order: 2}, {use: alpha/a}, {use: beta/b}, {use: beta/d, order: 2}]}}"
    )
    assert served(table(text, **KEYS), "m") == ["alpha/a", "beta/b", "alpha/c", "beta/d"]


FALLBACKS = """
models:
  a: {deployments: [{use: alpha/a}], fallbacks: [b, c]}
  b: {deployments: [{use: alpha/b}, {use: alpha/a}], fallbacks: [d]}
  c: {deployments: [{use: beta/c}], fallbacks: [a]}
  d: {deployments: [{use: beta/d}], fallbacks: [beta/e, b]}
"""


def test_fallbacks_are_flattened_nearest_first_without_repeats_and_loops_end() -> None:
    routes = table(FALLBACKS, **KEYS)
    assert served(routes, "a") == ["alpha/a", "alpha/b", "beta/c", "beta/d", "beta/e"]
    assert served(routes, "c") == ["beta/c", "alpha/a", "alpha/b", "beta/d", "beta/e"]
    assert served(routes, "d") == ["beta/d", "beta/e", "alpha/b", "alpha/a"]
    assert routes.names() == ["a", "b", "c", "d"]


def test_a_fallback_that_leads_nowhere_is_refused() -> None:
    head = "models: {chat: {deployments: [{use: alpha/a}], fallbacks: "
    error = refusal(head + "[caht]}}", **KEYS)
    assert (error.path, error.suggestion) == ("models.chat.fallbacks[0]", "did you mean 'chat'?")
    assert refusal(head + "[beta/x, zzz]}}", **KEYS).path == "models.chat.fallbacks[1]"
    assert refusal(head + "[nope/x]}}", **KEYS).path == "models.chat.fallbacks[0]"
    assert refusal(head + "[chat]}}", **KEYS).message == "a model cannot fall back to itself"


def test_a_public_name_wins_over_a_provider_and_its_model() -> None:
    routes = table("models: {alpha/m: {deployments: [{use: beta/x}]}}", **KEYS)
    assert served(routes, "alpha/m") == ["beta/x"]
    assert served(routes, "alpha/n") == ["alpha/n"]


def test_the_nearest_price_wins() -> None:
    routes = table(
        """
        providers: {beta: {prices: {m: {input: 3, output: 4}, listed: {input: 5, output: 6}}}}
        models:
          own: {deployments: [{use: beta/m, price: {input: 7, output: 8, cached_input: 0.5}}]}
          table: {deployments: [{use: beta/m}]}
        """,
        **KEYS,
    )
    prices = {name: only(routes, name).deployments[0].price for name in ("own", "table", "beta/listed", "alpha/listed")}
    assert prices == {
        "own": Price(7_000_000_000, 8_000_000_000, 500_000_000),
        "table": Price(3_000_000_000, 4_000_000_000),
        "beta/listed": Price(5_000_000_000, 6_000_000_000),
        "alpha/listed": Price(1_000_000_000, 2_000_000_000),
    }
    assert only(routes, "beta/unknown").deployments[0].price is None


def test_a_free_model_has_a_price_of_nothing_and_not_an_unknown_one() -> None:
    routes = table("models: {m: {deployments: [{use: alpha/listed, price: {input: 0, output: 0}}]}}", **KEYS)
    assert only(routes, "m").deployments[0].price == Price(0, 0)


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("gtp-5-mini", "gpt-5-mini"),
        ("GPT-5-MINI", "gpt-5-mini"),
        ("alhpa/some-model", "alpha/some-model"),
        ("claude-hiaku", "beta/claude-haiku"),
    ],
)
def test_a_misspelled_name_finds_its_neighbour(asked: str, nearest: str) -> None:
    text = (
        "models: {gpt-5-mini: {deployments: [{use: alpha/gpt-5-mini}]}, x: {deployments: [{use: beta/claude-haiku}]}}"
    )
    assert table(text, **KEYS).nearest(asked)[0] == nearest


def test_suggestions_are_bounded_servable_and_absent_when_nothing_is_near() -> None:
    text = "models: {" + ", ".join(f"model-{n}: {{deployments: [{{use: alpha/m{n}}}]}}" for n in range(9)) + "}"
    routes = table(text, **KEYS)
    suggested = routes.nearest("model-x", 2)
    assert len(suggested) == 2
    assert all(routes.resolve(name) for name in suggested)
    assert routes.nearest("zzzzzz") == []
    assert table().nearest("gpt-5") == []


def test_keys_do_not_show_in_a_printed_table() -> None:
    routes = table("models: {m: {deployments: [{use: alpha/a}]}}", ALPHA_KEY="hidden-key", BETA_KEY="hidden-too")
    assert "hidden" not in repr(routes)


def test_the_example_file_is_complete_and_works_with_the_catalogue_that_ships() -> None:
    environ = {"OPENAI_API_KEY": "k1", "GROQ_API_KEY": "k2", "LANEWAY_MASTER_KEY": "m" * 32, "XAI_API_KEY": "k3"}
    config = parse_config(yaml.safe_load(EXAMPLE.read_text()), environ)
    routes = build_routes(config, load_catalogue(), environ)
    assert routes.providers() == ("openai", "gpu", "groq", "xai")
    assert served(routes, "chat") == ["openai/gpt-5-mini", "groq/openai/gpt-oss-120b", "gpu/qwen3-32b"]
    assert only(routes, "local").deployments[0].price == Price(0, 0)
    assert only(routes, "local").deployments[0].target.base_url == "http://gpu1:8000/v1"
    assert only(routes, "xai/grok-4").deployments[0].target.api_key == "k3"


def test_the_simulator_is_reached_through_its_variable() -> None:
    environ = {"LANEWAY_SIMULATOR_URL": "http://127.0.0.1:7/v1"}
    catalogue = load_catalogue()
    deployment = only(build_routes(parse_config({}, environ), catalogue, environ), "simulator/sim-small").deployments[0]
    assert deployment.target.base_url == "http://127.0.0.1:7/v1"
    assert deployment.price == Price(150_000_000, 600_000_000)
    with pytest.raises(ConfigError, match="LANEWAY_SIMULATOR_URL"):
        build_routes(parse_config({"providers": {"demo": {"type": "simulator"}}}, {}), catalogue, {})
