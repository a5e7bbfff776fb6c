"""Connections: settings and addresses from data, and where a credential may travel."""

from typing import Any

import pytest
import yaml

from providers.catalogue import Auth, load_catalogue
from providers.completion import ParamPolicy, Target
from router.config import ConfigError, parse_config
from router.connection import Connection
from router.routes import RouteTable, build_routes

CATALOGUE = load_catalogue()
AWS = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_PROFILE": "work"}
OTHER = "https://other.example/v1"


def table(text: str = "", **environ: str) -> RouteTable:
    return build_routes(parse_config(yaml.safe_load(text) or {}, environ), CATALOGUE, environ)


def one(entry: str, **environ: str) -> Connection:
    return table(f"providers: {{p: {entry}}}", **environ).connections["p"]


def target(entry: str, **environ: str) -> Target:
    return one(entry, **environ).target


def refusal(text: str, **environ: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        table(text, **environ)
    return caught.value


def test_settings_complete_the_address_and_reach_the_dialect() -> None:
    found = target("{type: vertex, project: my-project, location: europe-west4}")
    assert found.base_url == (
        "https://europe-west4-aiplatform.googleapis.com/v1/projects/my-project/locations/europe-west4/publishers/google"
    )
    assert (found.setting("publisher"), found.setting("location")) == ("google", "europe-west4")
    assert target("{type: vertex_anthropic, project: p}").setting("publisher") == "anthropic"
    assert "/locations/global/" in target("{type: vertex, project: p}").base_url


@pytest.mark.parametrize("written", ["2024-10-21", "'2024-10-21'"])
def test_the_example_of_azure_works_with_and_without_quotes(written: str) -> None:
    base_url = "https://name.openai.azure.com"
    found = target(f"{{type: azure, api_key: k, base_url: '{base_url}', api_version: {written}}}")
    assert (found.dialect, found.auth, found.base_url, found.api_key) == ("azure", Auth.AZURE, base_url, "k")
    assert found.setting("api_version") == "2024-10-21"


def test_settings_come_from_the_entry_before_the_environment() -> None:
    environ = {"AWS_DEFAULT_REGION": "us-east-1"}
    assert target("{type: bedrock}", **environ).setting("region") == "us-east-1"
    assert target("{type: bedrock, region: eu-west-1}", **environ).setting("region") == "eu-west-1"
    assert target("{type: bedrock, settings: {region: eu-west-3}}", **environ).setting("region") == "eu-west-3"


def test_a_missing_setting_is_named_with_its_variables() -> None:
    error = refusal("providers: {b: {type: bedrock}}")
    assert (error.path, error.suggestion) == (
        "providers.b.region",
        "set region or AWS_REGION or AWS_DEFAULT_REGION or AWS_REGION_NAME",
    )
    error = refusal("providers: {v: {type: vertex}}")
    assert error.path == "providers.v.project"
    error = refusal("providers: {a: {type: azure, api_key: k}}")
    assert (error.path, error.suggestion) == (
        "providers.a.base_url",
        "set base_url or AZURE_API_BASE or AZURE_OPENAI_ENDPOINT",
    )


def test_a_setting_that_the_type_does_not_have_is_refused() -> None:
    error = refusal("providers: {b: {type: bedrock, region: r, settings: {profil: x}}}")
    assert (error.path, error.suggestion) == ("providers.b.settings.profil", "did you mean 'profile'?")
    assert refusal("providers: {openai: {api_key: k, region: r}}").path == "providers.openai.region"


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ("{type: bedrock, region: 'eu-west-1.evil.example/'}", "region"),
        ("{type: bedrock, region: 'x@evil.example#'}", "region"),
        ("{type: vertex, project: '../..'}", "project"),
        ("{type: vertex, project: 'a/b'}", "project"),
        ("{type: vertex, project: p, location: 'a.b'}", "location"),
        ("{type: snowflake, api_key: k, settings: {account: 'evil.example/x'}}", "account"),
        ("{type: databricks, api_key: k, settings: {workspace: 'h:1@evil.example'}}", "workspace"),
        ("{type: azure, api_key: k, settings: {endpoint: 'https://u:p@h'}}", "endpoint"),
    ],
)
def test_a_setting_cannot_lead_to_another_server(entry: str, path: str) -> None:
    error = refusal(f"providers: {{p: {entry}}}")
    assert error.path == f"providers.p.{path}"
    assert "evil" not in str(error)


def test_a_bad_value_of_a_variable_is_refused_by_the_variables_name() -> None:
    assert "AWS_REGION" in str(refusal("providers: {b: {type: bedrock}}", AWS_REGION="a/b"))


def test_a_host_may_be_given_as_an_address() -> None:
    found = target("{type: databricks, api_key: k}", DATABRICKS_HOST="https://adb-1.azuredatabricks.net/")
    assert found.base_url == "https://adb-1.azuredatabricks.net/serving-endpoints"


def test_credentials_of_the_environment_go_to_the_vendors_own_address() -> None:
    connection = one("{type: bedrock, region: r1}", **AWS)
    found = connection.target
    assert (found.auth, found.api_key, connection.credential_source) == (Auth.AWS, None, "this machine")
    assert found.secrets == (("access_key_id", "AKIA1"), ("secret_access_key", "s3cret"))
    assert found.setting("profile") == "work"
    assert "s3cret" not in repr(connection)


@pytest.mark.parametrize("kind", ["bedrock, region: r1", "vertex, project: p", "azure_v1, settings: {resource: r}"])
def test_credentials_of_the_environment_never_go_to_another_host(kind: str) -> None:
    environ = {**AWS, "GOOGLE_APPLICATION_CREDENTIALS": "/f.json", "AZURE_CLIENT_SECRET": "s", "AZURE_API_KEY": "k"}
    connection = one(f"{{type: {kind}, base_url: '{OTHER}'}}", **environ, AWS_BEARER_TOKEN_BEDROCK="b")
    found = connection.target
    assert (found.auth, found.api_key, found.secrets) == (Auth.NONE, None, ())
    assert (connection.credential_source, connection.pricing_id) == (None, None)


def test_what_an_entry_gives_itself_goes_where_the_entry_points() -> None:
    own = "settings: {access_key_id: AKIA2, secret_access_key: own}"
    found = target(f"{{type: bedrock, region: r1, base_url: '{OTHER}', {own}}}", **AWS)
    assert found.auth is Auth.AWS
    assert found.secrets == (("access_key_id", "AKIA2"), ("secret_access_key", "own"))
    assert target(f"{{type: bedrock, region: r1, base_url: '{OTHER}', settings: {{profile: x}}}}").auth is Auth.AWS


def test_what_an_entry_gives_is_never_mixed_with_the_environment() -> None:
    environ = {**AWS, "AWS_SESSION_TOKEN": "of-the-environment", "AWS_BEARER_TOKEN_BEDROCK": "b"}
    own = "settings: {access_key_id: AKIA2, secret_access_key: own}"
    found = target(f"{{type: bedrock, region: r1, {own}}}", **environ)
    assert (found.api_key, found.secret("session_token")) == (None, None)
    assert target("{type: bedrock, region: r1, api_key: k}", **AWS).secrets == ()


def test_a_key_of_the_environment_goes_to_an_address_that_only_the_operator_can_give() -> None:
    found = target("{type: azure, base_url: 'https://mine.openai.azure.com'}", AZURE_API_KEY="k")
    assert found.api_key == "k"


@pytest.mark.parametrize(
    "entry",
    [
        "{type: azure, base_url: 'http://azure.example'}",
        "{type: azure, api_key: k, settings: {endpoint: 'http://azure.example'}}",
        "{type: azure, base_url: 'https://a.example', settings: {authority: 'http://login.example', client_secret: s}}",
        "{dialect: openai, base_url: 'http://a.example', auth: google}",
    ],
)
def test_nothing_that_shows_who_calls_travels_over_plain_http_to_a_public_host(entry: str) -> None:
    assert "plain http" in refusal(f"providers: {{p: {entry}}}").message
    assert table(f"providers: {{p: {entry[:-1]}, allow_http: true}}}}").providers() == ("p",)


def test_a_variable_that_serves_several_rows_is_read_for_a_named_provider_only() -> None:
    environ = {"MOONSHOT_API_KEY": "k"}
    assert table(**environ).providers() == ()
    routes = table("providers: {moonshot_cn: {}}", **environ)
    assert routes.providers() == ("moonshot_cn",)
    assert routes.connections["moonshot_cn"].credential_source == "MOONSHOT_API_KEY"


def test_a_provider_whose_address_is_not_complete_stays_off() -> None:
    assert table(AZURE_API_KEY="k", AWS_BEARER_TOKEN_BEDROCK="b").providers() == ()
    whole = {"AZURE_API_KEY": "k", "AZURE_API_BASE": "https://a.example", "AWS_BEARER_TOKEN_BEDROCK": "b"}
    assert table(**whole, AWS_REGION="r1").providers() == ("azure", "bedrock")


def test_a_local_server_is_switched_on_by_its_address() -> None:
    assert table(OLLAMA_API_BASE="http://gpu1:11434").connections["ollama"].target.base_url == "http://gpu1:11434/api"
    assert table(LANEWAY_VLLM_URL="http://gpu1:8000/v1").connections["vllm"].origin == "LANEWAY_VLLM_URL"
    assert table(VLLM_API_KEY="k", LANEWAY_OPENAI_URL="http://gpu1").providers() == ()
    assert target("{type: ollama}").base_url == "http://localhost:11434/api"


def test_aliases_stand_for_their_row_everywhere() -> None:
    environ = {"TOGETHER_API_KEY": "t"}
    routes = table("models: {m: {deployments: [{use: together_ai/x}], fallbacks: [together_ai/y]}}", **environ)
    assert routes.providers() == ("together",)
    served = [routes.resolve(name) for name in ("m", "together_ai/z")]
    assert [[each.provider for each in route.deployments] for route in served if route] == [
        ["together"] * 2,
        ["together"],
    ]
    assert target("{type: fireworks_ai, api_key: k}").base_url == "https://api.fireworks.ai/inference/v1"
    named = table("providers: {together_ai: {api_key: own}}")
    assert named.providers() == ("together_ai",)
    assert named.resolve("together_ai/x")


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        ("groq/llama", "Set GROQ_API_KEY to use groq."),
        ("grok/llama", "Set GROQ_API_KEY to use groq."),
        ("together_ai/x", "Set TOGETHER_API_KEY to use together."),
        ("azure/x", "Set AZURE_API_KEY and AZURE_API_BASE to use azure."),
        ("moonshot_cn/x", "Name it under providers in the configuration to use moonshot_cn."),
        ("groq", None),
        ("zzzzzz/x", None),
        ("openai/x", None),
    ],
)
def test_a_provider_that_is_off_is_named_with_what_switches_it_on(asked: str, advice: str | None) -> None:
    assert table(OPENAI_API_KEY="k").advice(asked) == advice


def test_a_server_of_ones_own_needs_no_row() -> None:
    text = """
    providers:
      acme: {dialect: openai, base_url: "https://llm.acme.example/v1", api_key: k, quirks: [system_role, max_tokens],
             auth: header, auth_name: X-Acme-Key, prices: {m: {input: 1, output: 2}}}
    """
    routes = table(text, OPENAI_API_KEY="of-the-vendor")
    found = routes.connections["acme"]
    assert (found.target.dialect, found.target.auth, found.target.auth_name) == ("openai", Auth.HEADER, "x-acme-key")
    assert found.target.quirks == {"system_role", "max_tokens"}
    assert (found.target.api_key, found.pricing_id) == ("k", None)
    assert routes.resolve("acme/m")


def test_an_entry_with_a_dialect_inherits_nothing_from_a_row_of_its_name() -> None:
    found = target("{dialect: openai, base_url: 'https://x.example/v1'}", OPENAI_API_KEY="of-the-vendor")
    assert found.api_key is None
    named = table("providers: {openai: {dialect: openai, base_url: 'https://x.example/v1'}}", OPENAI_API_KEY="k")
    assert named.connections["openai"].target.api_key is None


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ("{dialect: opnai, base_url: 'https://x.example'}", "providers.p.dialect"),
        ("{dialect: openai}", "providers.p"),
        ("{dialect: openai, type: openai, base_url: 'https://x.example'}", "providers.p"),
        ("{type: openai, api_key: k, auth: header}", "providers.p"),
        ("{type: openai, api_key: k, quirks: [no_such]}", "providers.p.quirks[0]"),
        ("{type: openai, api_key: k, strict_params: true, drop_params: true}", "providers.p"),
        ("{dialect: openai, base_url: 'https://x.example', region: r}", "providers.p.region"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(entry: str, path: str) -> None:
    assert refusal(f"providers: {{p: {entry}}}").path == path


def test_quirks_of_an_entry_come_to_those_of_the_row() -> None:
    assert target("{type: xai, api_key: k, quirks: [no_seed]}").quirks >= {"no_seed", "system_role"}


@pytest.mark.parametrize(
    ("routing", "entry", "policy"),
    [
        ("{}", "", ParamPolicy.CAREFUL),
        ("{strict_params: true}", "", ParamPolicy.STRICT),
        ("{drop_params: true}", "", ParamPolicy.DROP),
        ("{drop_params: true}", ", strict_params: true", ParamPolicy.STRICT),
        ("{strict_params: true}", ", strict_params: false", ParamPolicy.CAREFUL),
    ],
)
def test_the_rule_for_parameters_is_the_providers_or_that_of_all(routing: str, entry: str, policy: Any) -> None:
    routes = table(f"routing: {routing}\nproviders: {{p: {{type: openai, api_key: k{entry}}}}}")
    assert routes.connections["p"].target.params is policy


def test_a_target_knows_what_is_known_of_its_model() -> None:
    routes = table(ANTHROPIC_API_KEY="k")
    route = routes.resolve("anthropic/claude-sonnet-4-5")
    assert route is not None
    found = route.deployments[0].target
    assert (found.auth, found.auth_name, found.max_output_tokens) == (Auth.HEADER, "x-api-key", 64_000)
    assert "thinking_budget" in found.model_traits


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("{type: openai, api_key: k}", "https://api.openai.com/v1/models"),
        ("{type: openai, api_key: k, base_url: 'https://x.example/v1'}", "https://x.example/v1/models"),
        ("{type: cohere, api_key: k}", "https://api.cohere.com/v1/models"),
        ("{type: cohere, api_key: k, base_url: 'https://x.example/v2'}", None),
        ("{type: perplexity, api_key: k}", None),
        ("{type: bedrock, region: r1}", "https://bedrock.r1.amazonaws.com/foundation-models"),
        (
            "{type: vertex, project: p, location: eu}",
            "https://aiplatform.eu.rep.googleapis.com/v1beta1/publishers/google/models",
        ),
    ],
)
def test_a_check_asks_the_server_that_the_credential_belongs_to(entry: str, url: str | None) -> None:
    assert one(entry).check_url == url
