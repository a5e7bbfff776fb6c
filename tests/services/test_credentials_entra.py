"""Tokens of Microsoft Entra: of an application's secret, of a machine, and given as they are."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest

from providers.client import ProviderClient
from providers.completion import Answer
from providers.credential import Auth
from providers.credentials.entra import SCOPE
from providers.failure import ErrorClass, Failure
from tests.services.credential_calls import bearers, denied, only, serving_gets, token_server, with_token
from tests.services.provider_calls import call
from tests.services.scripted_server import answering, http, scripted

TOKEN = orjson.dumps({"access_token": "eyJ.token-one", "expires_in": 3599, "token_type": "Bearer"})
APPLICATION = (("tenant_id", "tenant/1"), ("client_id", "app-1"), ("client_secret", "s3cret+value"))


@pytest.fixture
async def client() -> AsyncIterator[ProviderClient]:
    client = ProviderClient()
    yield client
    await client.aclose()


async def azure(client: ProviderClient, base_url: str, **changes: Any) -> Answer | Failure:
    return await with_token(client, base_url, Auth.AZURE, **changes)


async def refused(client: ProviderClient, **changes: Any) -> Failure:
    return await denied(client, **{"dialect": "openai", "auth": Auth.AZURE, "settings": (), **changes})


def at(server: Any, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (("authority", f"http://127.0.0.1:{server.port}/"), *more)


async def test_an_applications_secret_is_exchanged_for_one_token_that_all_calls_share(client: ProviderClient) -> None:
    async with token_server(http(TOKEN)) as entra, scripted(answering(http())) as provider:
        calls = [
            azure(client, provider.base_url, settings=at(entra), secrets=APPLICATION, model=f"m{n}") for n in range(6)
        ]
        assert all(isinstance(outcome, Answer) for outcome in await asyncio.gather(*calls))
    assert bearers(provider) == ["Bearer eyJ.token-one"] * 6
    assert only(entra).head.startswith("POST /tenant%2F1/oauth2/v2.0/token HTTP/1.1\r\n")
    assert parse_qs(only(entra).body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["app-1"],
        "client_secret": ["s3cret+value"],
        "scope": [SCOPE],
    }


async def test_each_entry_has_its_own_token_and_its_own_scope(client: ProviderClient) -> None:
    async with token_server(http(TOKEN)) as entra, scripted(answering(http())) as provider:
        for scope in ("https://ai.azure.com/.default", "https://other.test/.default"):
            settings = at(entra, ("entra_scope", scope))
            await azure(client, provider.base_url, settings=settings, secrets=APPLICATION)
    assert [parse_qs(asked.body.decode())["scope"] for asked in entra.requests] == [
        ["https://ai.azure.com/.default"],
        ["https://other.test/.default"],
    ]


async def test_a_token_near_its_end_is_replaced(client: ProviderClient) -> None:
    short = orjson.dumps({"access_token": "eyJ.short", "expires_in": 10})
    async with token_server(http(short), http(TOKEN)) as entra, scripted(answering(http())) as provider:
        for _ in range(2):
            await azure(client, provider.base_url, settings=at(entra), secrets=APPLICATION)
    assert bearers(provider) == ["Bearer eyJ.short", "Bearer eyJ.token-one"]


async def test_a_refusal_shows_entras_number_and_no_secret(client: ProviderClient) -> None:
    body = orjson.dumps(
        {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret s3cret+value provided."}
    )
    async with token_server(http(body, status=401)) as entra:
        failure = await refused(client, settings=at(entra), secrets=APPLICATION)
    assert (failure.error_class, failure.code) == (ErrorClass.AUTH, "AADSTS7000215")
    assert "s3cret" not in repr(failure)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b'{"error": "invalid_request"}', ErrorClass.AUTH),
        (200, b'{"expires_in": 5}', ErrorClass.AUTH),
        (200, b"[]", ErrorClass.AUTH),
        (200, b"<html>", ErrorClass.AUTH),
        (302, b"", ErrorClass.AUTH),
        (429, b"", ErrorClass.NETWORK),
        (503, b"", ErrorClass.NETWORK),
    ],
)
async def test_an_answer_that_is_no_token_is_a_failure(
    client: ProviderClient, status: int, body: bytes, expected: ErrorClass
) -> None:
    async with token_server(http(body, status=status)) as entra:
        failure = await refused(client, settings=at(entra), secrets=APPLICATION)
    assert failure.error_class is expected


async def test_a_token_server_that_is_away_is_a_failure_of_class_network(client: ProviderClient) -> None:
    async with token_server() as entra:
        settings = at(entra)
    assert (await refused(client, settings=settings, secrets=APPLICATION)).error_class is ErrorClass.NETWORK


@pytest.mark.parametrize("missing", ["tenant_id", "client_id"])
async def test_half_an_application_is_told_what_is_missing(client: ProviderClient, missing: str) -> None:
    secrets = tuple(pair for pair in APPLICATION if pair[0] != missing)
    failure = await refused(client, secrets=secrets)
    assert failure.error_class is ErrorClass.AUTH
    assert failure.message.endswith(missing)


async def test_a_given_token_is_sent_as_it_is(client: ProviderClient) -> None:
    async with scripted(answering(http())) as provider:
        await azure(client, provider.base_url, secrets=(("ad_token", "eyJ.given"),))
    assert bearers(provider) == ["Bearer eyJ.given"]
    failure = await refused(client, secrets=(("ad_token", "two\nlines"),))
    assert failure.error_class is ErrorClass.AUTH


async def test_the_identity_of_the_machine_is_found(client: ProviderClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    seen: list[str] = []
    body = orjson.dumps({"access_token": "eyJ.machine", "expires_on": "4070908800", "resource": "r"})
    async with scripted(serving_gets(body, seen)) as machine, scripted(answering(http())) as provider:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{machine.port}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "machine-header")
        for _ in range(2):
            outcome = await azure(client, provider.base_url)
            assert isinstance(outcome, Answer), outcome
    assert bearers(provider) == ["Bearer eyJ.machine"] * 2
    assert len(seen) == 1
    assert "resource=https://cognitiveservices.azure.com " in seen[0]


async def test_settings_that_a_library_chokes_on_are_a_failure_of_class_auth(
    client: ProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "http://user:pass@plain.test")
    failure = await refused(client)
    assert (failure.error_class, failure.code) == (ErrorClass.AUTH, "ValueError")
    assert "pass" not in repr(failure)


async def test_a_missing_package_is_named_with_its_extra(
    client: ProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    failure = await refused(client)
    assert failure.error_class is ErrorClass.AUTH
    assert "pip install 'laneway[azure]'" in failure.message


async def test_a_key_is_sent_as_it_is(client: ProviderClient) -> None:
    async with scripted(answering(http())) as provider:
        await call(client, provider.base_url, auth=Auth.AZURE, api_key="azure-key", secrets=APPLICATION)
    assert only(provider).header("api-key") == ["azure-key"]
    assert bearers(provider) == []
