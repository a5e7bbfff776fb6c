"""The client against real servers that behave: what is sent, what is reused, what runs at once."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from providers.catalogue import Quirk
from providers.client import ProviderClient
from providers.completion import Answer, Endpoint, Target, Usage
from providers.failure import ErrorClass, Failure
from tests.services.provider_calls import KEY, call
from tests.services.scripted_server import BODY, ScriptedServer, answering, http, read_request, scripted


@pytest.fixture
async def client() -> AsyncIterator[ProviderClient]:
    client = ProviderClient()
    yield client
    await client.aclose()


async def test_a_call_brings_back_the_answer_untouched(client: ProviderClient) -> None:
    async with scripted(answering(http(headers=("x-request-id: req_9",)))) as server:
        outcome = await call(client, server.base_url)
    assert isinstance(outcome, Answer)
    assert (outcome.body, outcome.usage, outcome.model) == (BODY, Usage(3, 1), "served")
    assert outcome.provider_request_id == "req_9"


async def test_a_request_carries_the_key_once_the_attempt_and_no_extras(client: ProviderClient) -> None:
    async with scripted(answering(http())) as server:
        await call(client, server.base_url)
    (received,) = server.requests
    assert received.head.startswith("POST /v1/chat/completions HTTP/1.1\r\n")
    assert received.header("authorization") == [f"Bearer {KEY}"]
    assert received.header("x-laneway-attempt") == ["job_1-1"]
    assert received.header("accept-encoding") == ["identity"]
    assert received.header("user-agent") == ["laneway"]
    assert received.header("content-type") == ["application/json"]
    assert received.header("host") == [f"127.0.0.1:{server.port}"]
    assert received.header("cookie") == []
    assert orjson.loads(received.body) == {"model": "asked", "messages": [{"role": "user", "content": "hi"}]}


async def test_calls_share_a_connection_and_cookies_are_not_kept(client: ProviderClient) -> None:
    async with scripted(answering(http(headers=("set-cookie: a=b; Path=/",)))) as server:
        for _ in range(5):
            assert isinstance(await call(client, server.base_url), Answer)
    assert (server.connections, len(server.requests)) == (1, 5)
    assert all(received.header("cookie") == [] for received in server.requests)


async def test_calls_run_at_once_without_a_bound_of_the_pool(client: ProviderClient) -> None:
    everyone_is_here = asyncio.Event()

    async def wait_for_all(server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(server, reader)
        if len(server.requests) == 150:
            everyone_is_here.set()
        await everyone_is_here.wait()
        writer.write(http())
        await writer.drain()

    async with scripted(wait_for_all) as server:
        outcomes = await asyncio.gather(*(call(client, server.base_url, timeout_ms=60_000) for _ in range(150)))
    assert all(isinstance(outcome, Answer) for outcome in outcomes)


async def test_a_large_request_arrives_whole(client: ProviderClient) -> None:
    content = "x" * 3_000_000
    body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": content}]})
    async with scripted(answering(http())) as server:
        target = Target("acme", "openai", server.base_url, "asked")
        outcome = await client.call(target, Endpoint.CHAT, body, attempt_id="a", timeout_ms=60_000)
    assert isinstance(outcome, Answer)
    assert orjson.loads(server.requests[0].body)["messages"][0]["content"] == content


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("gzip", lambda body: gzip.compress(body[:50]) + gzip.compress(body[50:])),
        ("identity", bytes),
    ],
)
async def test_an_answer_compressed_unasked_is_understood(client: ProviderClient, encoding: str, compress: Any) -> None:
    async with scripted(answering(http(compress(BODY), headers=(f"content-encoding: {encoding}",)))) as server:
        outcome = await call(client, server.base_url)
    assert isinstance(outcome, Answer)
    assert outcome.body == BODY


async def test_a_chunked_answer_is_read_to_its_end(client: ProviderClient) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:7], BODY[7:90], BODY[90:]))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    async with scripted(answering(head + chunks + b"0\r\n\r\n")) as server:
        outcome = await call(client, server.base_url)
    assert isinstance(outcome, Answer)
    assert outcome.body == BODY


async def test_what_a_server_does_not_take_is_reported_with_the_answer(client: ProviderClient) -> None:
    body = orjson.dumps({"messages": [], "seed": 7})
    async with scripted(answering(http())) as server:
        target = Target("acme", "openai", server.base_url, "m", quirks=frozenset({Quirk.NO_SEED}))
        outcome = await client.call(target, Endpoint.CHAT, body, attempt_id="a", timeout_ms=60_000)
    assert isinstance(outcome, Answer)
    assert outcome.dropped_params == ("seed",)


async def test_a_refusal_is_classified_with_its_delay(client: ProviderClient) -> None:
    body = orjson.dumps({"error": {"message": f"slow down, {KEY}", "code": "rate_limit_exceeded"}})
    async with scripted(answering(http(body, status=429, headers=("Retry-After: 7",)))) as server:
        outcome = await call(client, server.base_url)
    assert isinstance(outcome, Failure)
    assert (outcome.error_class, outcome.retry_after_ms, outcome.http_status) == (ErrorClass.RATE_LIMIT, 7_000, 429)
    assert KEY not in repr(outcome)


async def test_retry_after_of_a_success_is_not_read(client: ProviderClient) -> None:
    async with scripted(answering(http(headers=("retry-after: 30",)))) as server:
        assert isinstance(await call(client, server.base_url), Answer)


async def test_a_request_that_cannot_be_written_is_never_sent(client: ProviderClient) -> None:
    async with scripted(answering(http())) as server:
        target = Target("acme", "openai", server.base_url, "m")
        outcome = await client.call(target, Endpoint.CHAT, b"{", attempt_id="a", timeout_ms=60_000)
    assert isinstance(outcome, Failure)
    assert outcome.error_class is ErrorClass.BAD_REQUEST
    assert server.connections == 0


async def test_proxies_of_the_environment_are_not_used(client: ProviderClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with scripted(answering(http())) as server:
        assert isinstance(await call(client, server.base_url), Answer)
