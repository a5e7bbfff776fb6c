"""Signatures of AWS, each checked by botocore's own signer over the bytes that came off the wire."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.client import ProviderClient
from providers.completion import Answer
from providers.credentials.signature import Keys, Unsigned, sign
from providers.failure import ErrorClass
from tests.dialects.bedrock.service_model import frames
from tests.services.credential_calls import CONVERSED, REGION, denied, only, signed, streamed
from tests.services.scripted_server import Received, answering, http, scripted

KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SECRETS = (("access_key_id", KEYS.access_key_id), ("secret_access_key", KEYS.secret_access_key))


@pytest.fixture
async def client() -> AsyncIterator[ProviderClient]:
    client = ProviderClient()
    yield client
    await client.aclose()


def their_signature(url: str, headers: dict[str, str], body: bytes, keys: Keys, region: str = REGION[1]) -> str:
    """Sign as botocore does, at the time that the headers state."""
    request = AWSRequest("POST", url, headers=headers, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token), "bedrock", region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


def is_rightly_signed(received: Received, keys: Keys) -> bool:
    """Check a request as AWS would: by the headers that it says are signed, over the body that came."""
    (authorization,) = received.header("authorization")
    fields = dict(field.strip().split("=", 1) for field in authorization.partition(" ")[2].split(","))
    names = fields["SignedHeaders"].split(";")
    headers = {name: received.header(name)[0] for name in names}
    path = received.head.split(" ")[1]
    assert {"host", "content-type", "x-amz-date"} <= set(names)
    assert fields["Credential"].startswith(keys.access_key_id + "/" + headers["x-amz-date"][:8])
    return fields["Signature"] == their_signature(f"http://{headers['host']}{path}", headers, received.body, keys)


@pytest.mark.parametrize(
    "model",
    ["amazon.nova-lite-v1:0", "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.x", "a b~c+d%/ü"],
)
async def test_a_call_without_a_key_is_signed_as_it_is_sent(client: ProviderClient, model: str) -> None:
    async with scripted(answering(http(CONVERSED))) as server:
        outcome = await signed(client, server.base_url, secrets=SECRETS, model=model)
    assert isinstance(outcome, Answer), outcome
    assert f"/model/{quote(model, safe='')}/converse " in only(server).head
    assert is_rightly_signed(only(server), KEYS)
    assert not is_rightly_signed(Received(only(server).head, only(server).body + b" "), KEYS)


async def test_a_streamed_call_is_signed_alike_and_its_event_stream_is_read(client: ProviderClient) -> None:
    body = b"".join(
        frames(
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Hello"}}},
            {"messageStop": {"stopReason": "end_turn"}},
            {"metadata": {"usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4}}},
        )
    )
    response = http(body).replace(b"application/json", b"application/vnd.amazon.eventstream", 1)
    async with scripted(answering(response)) as server:
        *_, outcome = await streamed(client, server.base_url, secrets=SECRETS)
    assert isinstance(outcome, Answer), outcome
    assert outcome.usage is not None
    assert is_rightly_signed(only(server), KEYS)


async def test_a_whole_answer_to_a_streamed_call_is_told_as_a_stream(client: ProviderClient) -> None:
    async with scripted(answering(http(CONVERSED))) as server:
        chunks, outcome = await streamed(client, server.base_url, secrets=SECRETS)
    assert b"Hello" in b"".join(chunks)
    assert isinstance(outcome, Answer)


async def test_a_session_and_headers_of_aws_are_part_of_the_signature(client: ProviderClient) -> None:
    secrets = (*SECRETS, ("session_token", "session/token=="))
    headers = (("X-Amzn-Bedrock-Trace", "ENABLED"), ("x-amz-extra", "  two   words "))
    async with scripted(answering(http(CONVERSED))) as server:
        await signed(client, server.base_url, secrets=secrets, headers=headers)
    received = only(server)
    assert received.header("x-amz-security-token") == ["session/token=="]
    assert "x-amz-extra;x-amz-security-token" in received.header("authorization")[0]
    assert is_rightly_signed(received, Keys(KEYS.access_key_id, KEYS.secret_access_key, "session/token=="))


async def test_every_call_is_signed_anew_at_its_own_time() -> None:
    request = Unsigned("/model/m/converse", "", {"host": "h"}, b"{}")
    first, second = sign(request, KEYS, "r", 1_763_800_000), sign(request, KEYS, "r", 1_763_800_001.9)
    assert first["x-amz-date"] == "20251122T082640Z"
    assert second["x-amz-date"] == "20251122T082641Z"
    assert first["authorization"] != second["authorization"]


async def test_a_call_with_a_key_is_not_signed(client: ProviderClient) -> None:
    async with scripted(answering(http(CONVERSED))) as server:
        await signed(client, server.base_url, api_key="bedrock-api-key", secrets=SECRETS)
    assert only(server).header("authorization") == ["Bearer bedrock-api-key"]
    assert only(server).header("x-amz-date") == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"settings": (), "secrets": SECRETS}, "region"),
        ({"secrets": SECRETS[:1]}, "secret_access_key"),
        ({"secrets": SECRETS[1:]}, "access_key_id"),
    ],
)
async def test_half_a_credential_is_a_failure_that_names_what_is_missing(
    client: ProviderClient, changes: dict[str, Any], fault: str
) -> None:
    failure = await denied(client, **changes)
    assert failure.error_class is ErrorClass.AUTH
    assert fault in failure.message
    assert KEYS.secret_access_key not in repr(failure)


SEGMENTS = st.lists(st.text("abc/:~ %+=&?üé世", max_size=8), min_size=1, max_size=4)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(
    segments=SEGMENTS,
    query=st.lists(st.tuples(st.text("ab-", min_size=1, max_size=3), st.text("xy ü", max_size=3)), max_size=3),
    extra=st.dictionaries(st.sampled_from(["x-amz-a", "x-amz-b", "x-amzn-c", "user-agent"]), VALUES, max_size=3),
    content=st.binary(max_size=50),
    token=st.none() | st.text("abc/+=", min_size=1, max_size=9),
    now_s=st.integers(0, 4_000_000_000),
)
def test_signatures_are_those_of_botocore(
    segments: list[str],
    query: list[tuple[str, str]],
    extra: dict[str, str],
    content: bytes,
    token: str | None,
    now_s: int,
) -> None:
    path = "/model/" + "/".join(quote(segment, safe="") for segment in segments) + "/converse"
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query)
    keys = Keys(KEYS.access_key_id, KEYS.secret_access_key, token)
    headers = {"host": "bedrock.test", "content-type": "application/json", "accept": "*/*", **extra}
    added = sign(Unsigned(path, asked, headers, content), keys, REGION[1], now_s)
    assert added["x-amz-date"] == datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    names = added["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    taken = {name: value for name, value in {**headers, **added}.items() if name in names}
    assert set(names) == {"host", "content-type", "x-amz-date"} | {name for name in taken if name.startswith("x-amz-")}
    url = f"http://bedrock.test{path}" + (f"?{asked}" if asked else "")
    assert added["authorization"].endswith("Signature=" + their_signature(url, taken, content, keys))
