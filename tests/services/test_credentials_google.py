"""Google tokens from real key files and real token servers on loopback."""

import asyncio
import base64
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from providers.client import ProviderClient
from providers.completion import Answer
from providers.credential import Auth
from providers.credentials.google import SCOPES
from providers.failure import ErrorClass, Failure
from tests.services.credential_calls import bearers, denied, only, serving_gets, token_server, with_token
from tests.services.provider_calls import call, hanging
from tests.services.scripted_server import answering, http, scripted

TOKEN = orjson.dumps({"access_token": "ya29.token-one", "expires_in": 3600, "token_type": "Bearer"})
SCOPE = SCOPES[0]
ISSUER = "laneway@project-1.iam.gserviceaccount.com"


@pytest.fixture
async def client() -> AsyncIterator[ProviderClient]:
    client = ProviderClient()
    yield client
    await client.aclose()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any trace of Google's cloud."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_QUOTA_PROJECT", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "project-1")
    return tmp_path


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def service_account(home: Path, key: rsa.RSAPrivateKey, token_uri: str, **changes: Any) -> str:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    info = {
        "type": "service_account",
        "project_id": "project-1",
        "private_key_id": "k1",
        "private_key": pem,
        "client_email": ISSUER,
        "token_uri": token_uri,
        **changes,
    }
    return write(home, info)


def user(home: Path, token_uri: str, **changes: Any) -> str:
    info = {"type": "authorized_user", "client_id": "c", "client_secret": "user-secret", "refresh_token": "refresh-1"}
    return write(home, {**info, "token_uri": token_uri, **changes})


def write(home: Path, info: Any) -> str:
    file = home / "credentials.json"
    file.write_bytes(info if isinstance(info, bytes) else orjson.dumps(info))
    return str(file)


async def google(client: ProviderClient, base_url: str, file: str | None = None, **changes: Any) -> Answer | Failure:
    secrets = (("credentials_file", file),) if file else ()
    return await with_token(client, base_url, Auth.GOOGLE, secrets=secrets, **changes)


async def refused(client: ProviderClient, file: str | None = None, **changes: Any) -> Failure:
    secrets = (("credentials_file", file),) if file else ()
    return await denied(client, dialect="openai", auth=Auth.GOOGLE, secrets=secrets, **changes)


def address(server: Any) -> str:
    return f"http://127.0.0.1:{server.port}/token"


async def test_a_service_account_signs_for_one_token_that_all_calls_share(
    client: ProviderClient, home: Path, key: rsa.RSAPrivateKey
) -> None:
    async with token_server(http(TOKEN)) as tokens, scripted(answering(http())) as provider:
        file = service_account(home, key, address(tokens))
        calls = [google(client, provider.base_url, file, model=f"m{at}") for at in range(6)]
        assert all(isinstance(outcome, Answer) for outcome in await asyncio.gather(*calls))
    assert bearers(provider) == ["Bearer ya29.token-one"] * 6
    asked = parse_qs(only(tokens).body.decode())
    assert asked["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    head, claims, signature = asked["assertion"][0].split(".")
    key.public_key().verify(_decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert {"scope": SCOPE, "iss": ISSUER}.items() <= orjson.loads(_decoded(claims)).items()


async def test_a_users_login_is_renewed_by_its_refresh_token_and_names_its_quota_project(
    client: ProviderClient, home: Path
) -> None:
    async with token_server(http(TOKEN)) as tokens, scripted(answering(http())) as provider:
        file = user(home, address(tokens), quota_project_id="payer-1")
        await google(client, provider.base_url, file)
        await google(client, provider.base_url, file, settings=(("quota_project", "payer-2"),))
    assert [received.header("x-goog-user-project") for received in provider.requests] == [["payer-1"], ["payer-2"]]
    asked = parse_qs(tokens.requests[0].body.decode())
    assert (asked["grant_type"], asked["refresh_token"]) == (["refresh_token"], ["refresh-1"])


async def test_the_default_credentials_of_the_machine_are_found(
    client: ProviderClient, home: Path, monkeypatch: pytest.MonkeyPatch, key: rsa.RSAPrivateKey
) -> None:
    async with token_server(http(TOKEN)) as tokens, scripted(answering(http())) as provider:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", service_account(home, key, address(tokens)))
        await google(client, provider.base_url)
    assert bearers(provider) == ["Bearer ya29.token-one"]


async def test_the_metadata_server_is_asked_even_without_the_package_that_google_auth_wants_for_it(
    client: ProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(("google.auth.transport.", "google.auth.compute_"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "requests", None)
    seen: list[str] = []
    async with scripted(serving_gets(TOKEN, seen)) as metadata, scripted(answering(http())) as provider:
        monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{metadata.port}")
        await google(client, provider.base_url)
    assert bearers(provider) == ["Bearer ya29.token-one"]
    assert "/computeMetadata/v1/instance/service-accounts/default/token" in seen[0]
    assert "metadata-flavor: Google" in seen[0]
    monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{metadata.port}")
    nowhere = await refused(client, settings=(("project", "another"),))
    assert nowhere.error_class is ErrorClass.AUTH
    assert "credentials_file" in nowhere.message


async def test_a_refused_login_is_a_failure_of_class_auth_without_secrets(client: ProviderClient, home: Path) -> None:
    body = orjson.dumps({"error": "invalid_grant", "error_description": "Token refresh-1 has been revoked."})
    async with token_server(http(body, status=400)) as tokens:
        failure = await refused(client, user(home, address(tokens)))
    assert (failure.error_class, failure.code) == (ErrorClass.AUTH, "invalid_grant")
    assert "refresh-1" not in repr(failure)


async def test_a_token_server_that_is_away_is_a_failure_of_class_network(client: ProviderClient, home: Path) -> None:
    async with token_server() as tokens:
        uri = address(tokens)
    failure = await refused(client, user(home, uri))
    assert failure.error_class is ErrorClass.NETWORK


async def test_waiting_for_a_token_counts_towards_the_deadline_of_the_call(client: ProviderClient, home: Path) -> None:
    async with scripted(hanging()) as tokens:
        failure = await refused(client, user(home, address(tokens)), timeout_ms=300)
    assert failure.error_class is ErrorClass.TIMEOUT


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"{", "JSON"),
        ([], "JSON"),
        ({"type": "service_account"}, "lacks a field"),
        ({"type": "service_account", "client_email": "a", "token_uri": "b", "private_key": "c"}, "lacks a field"),
        ({"type": "external_account"}, "another kind"),
        ({}, "another kind"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named_with_its_fault(
    client: ProviderClient, home: Path, content: Any, fault: str
) -> None:
    failure = await refused(client, write(home, content))
    assert failure.error_class is ErrorClass.AUTH
    assert fault in failure.message
    assert (await refused(client, str(home / "nowhere.json"))).error_class is ErrorClass.AUTH


async def test_a_missing_package_is_named_with_its_extra(
    client: ProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    failure = await refused(client)
    assert "pip install 'laneway[google]'" in failure.message


async def test_a_key_is_sent_as_it_is(client: ProviderClient) -> None:
    async with scripted(answering(http())) as provider:
        await call(client, provider.base_url, auth=Auth.GOOGLE, api_key="AIza-key")
    assert only(provider).header("x-goog-api-key") == ["AIza-key"]
    assert bearers(provider) == []


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
