"""Keys of AWS found by botocore's chain: real environment, real files, a real token service on loopback."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from providers.client import ProviderClient
from providers.completion import Answer
from providers.credentials.signature import Keys
from providers.failure import ErrorClass
from tests.services.credential_calls import CONVERSED, REGION, denied, only, signed, token_server
from tests.services.scripted_server import answering, http, scripted
from tests.services.test_credentials_signature import SECRETS, is_rightly_signed

ROLE = ("role_arn", "arn:aws:iam::123456789012:role/laneway")
SESSION = Keys("ASIASESSION", "session-secret-0123456789", "session-token-0123456789")
ASSUMED = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>{SESSION.access_key_id}</AccessKeyId><SecretAccessKey>{SESSION.secret_access_key}</SecretAccessKey>
<SessionToken>{SESSION.session_token}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
<AssumedRoleUser><AssumedRoleId>ARO:laneway</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/l/l</Arn>
</AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>""".encode()
NOT_ALLOWED = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>User AKIDEXAMPLE is not authorized</Message></Error></ErrorResponse>"""


@pytest.fixture
async def client() -> AsyncIterator[ProviderClient]:
    client = ProviderClient()
    yield client
    await client.aclose()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any trace of AWS."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


def write_profile(home: Path, name: str, keys: Keys) -> None:
    (home / ".aws").mkdir(exist_ok=True)
    with (home / ".aws" / "credentials").open("a") as file:
        file.write(
            f"[{name}]\naws_access_key_id={keys.access_key_id}\naws_secret_access_key={keys.secret_access_key}\n"
        )


async def test_keys_of_the_environment_are_found(client: ProviderClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", SESSION.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SESSION.secret_access_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", str(SESSION.session_token))
    async with scripted(answering(http(CONVERSED))) as server:
        assert isinstance(await signed(client, server.base_url), Answer)
    assert is_rightly_signed(only(server), SESSION)


@pytest.mark.parametrize("place", ["settings", "secrets"])
async def test_keys_of_a_named_profile_are_found(client: ProviderClient, home: Path, place: str) -> None:
    default, named = Keys("AKIDDEFAULT", "default-secret"), Keys("AKIDNAMED", "named-secret")
    write_profile(home, "default", default)
    write_profile(home, "team", named)
    async with scripted(answering(http(CONVERSED))) as server:
        await signed(client, server.base_url)
        if place == "settings":
            await signed(client, server.base_url, settings=(REGION, ("profile", "team")))
        else:
            await signed(client, server.base_url, secrets=(("profile", "team"),))
    assert is_rightly_signed(server.requests[0], default)
    assert is_rightly_signed(server.requests[1], named)


async def test_a_role_is_taken_on_once_for_all_calls(client: ProviderClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async with token_server(http(ASSUMED)) as sts, scripted(answering(http(CONVERSED))) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{sts.port}")
        settings = (REGION, ROLE, ("external_id", "ext-1"))
        calls = [signed(client, server.base_url, secrets=SECRETS, settings=settings, model=f"m{at}") for at in range(8)]
        outcomes = await asyncio.gather(*calls)
    assert all(isinstance(outcome, Answer) for outcome in outcomes)
    assert all(is_rightly_signed(received, SESSION) for received in server.requests)
    asked = parse_qs(only(sts).body.decode())
    assert asked["Action"] == ["AssumeRole"]
    assert asked["RoleArn"] == [ROLE[1]]
    assert asked["RoleSessionName"] == ["laneway"]
    assert asked["ExternalId"] == ["ext-1"]
    assert "AKIDEXAMPLE" in only(sts).header("authorization")[0]


async def test_a_role_that_is_refused_is_a_failure_of_class_auth(
    client: ProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = http(NOT_ALLOWED, status=403)
    async with token_server(refusal) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{sts.port}")
        failure = await denied(client, secrets=SECRETS, settings=(REGION, ROLE))
    assert (failure.error_class, failure.code) == (ErrorClass.AUTH, "AccessDenied")
    assert "AKIDEXAMPLE" not in repr(failure)


async def test_a_token_service_that_is_away_is_a_failure_of_class_network(
    client: ProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with token_server() as sts:
        port = sts.port
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{port}")
    failure = await denied(client, secrets=SECRETS, settings=(REGION, ROLE), timeout_ms=30_000)
    assert failure.error_class is ErrorClass.NETWORK


async def test_a_machine_without_keys_is_told_how_to_give_some(client: ProviderClient) -> None:
    failure = await denied(client)
    assert failure.error_class is ErrorClass.AUTH
    assert "access_key_id" in failure.message


async def test_an_unknown_profile_is_a_failure_of_class_auth(client: ProviderClient) -> None:
    failure = await denied(client, settings=(REGION, ("profile", "nobody")))
    assert (failure.error_class, failure.code) == (ErrorClass.AUTH, "ProfileNotFound")


async def test_a_missing_package_is_named_with_its_extra(
    client: ProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "botocore", None)
    failure = await denied(client)
    assert failure.error_class is ErrorClass.AUTH
    assert "pip install 'laneway[aws]'" in failure.message
    async with scripted(answering(http(CONVERSED))) as server:
        assert isinstance(await signed(client, server.base_url, secrets=SECRETS), Answer)


async def test_keys_that_are_found_later_are_used_by_the_next_call(client: ProviderClient, home: Path) -> None:
    await denied(client)
    write_profile(home, "default", SESSION)
    async with scripted(answering(http(CONVERSED))) as server:
        assert isinstance(await signed(client, server.base_url), Answer)
