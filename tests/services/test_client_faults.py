"""The client against real servers that misbehave: one request at most, one failure that says what it may cost."""

import asyncio
import gzip
import socket
import struct
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from providers.client import ProviderClient
from providers.completion import Answer, Endpoint, Target
from providers.failure import ErrorClass, Failure
from tests.services.scripted_server import BODY, Script, ScriptedServer, answering, http, read_request, scripted

KEY = "sk-secret-0123456789"
E = ErrorClass


@pytest.fixture
async def client() -> AsyncIterator[ProviderClient]:
    client = ProviderClient()
    yield client
    await client.aclose()


async def fail(client: ProviderClient, base_url: str, *, timeout_ms: int = 5_000, **changes: Any) -> Failure:
    """Make a call that must fail, and check what holds for every failure."""
    outcome = await call(client, base_url, timeout_ms=timeout_ms, **changes)
    assert isinstance(outcome, Failure), outcome
    assert KEY not in repr(outcome)
    assert "acme" in outcome.message
    return outcome


async def call(client: ProviderClient, base_url: str, *, timeout_ms: int = 5_000, **changes: Any) -> Answer | Failure:
    target = Target(
        **{"provider": "acme", "dialect": "openai", "model": "m", "api_key": KEY, "base_url": base_url, **changes}
    )
    return await client.call(target, Endpoint.CHAT, b'{"messages":[]}', attempt_id="a", timeout_ms=timeout_ms)


def after_request(act: Callable[[asyncio.StreamWriter], Any]) -> Script:
    """Read one request, act, close the connection."""

    async def script(server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(server, reader)
        result = act(writer)
        if asyncio.iscoroutine(result):
            await result

    return script


def hanging(*pieces: bytes) -> Script:
    """Read one request, send some bytes, then nothing more until the client hangs up."""

    async def script(server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(server, reader)
        for piece in pieces:
            writer.write(piece)
        await writer.drain()
        await reader.readexactly(1)

    return script


def reset(writer: asyncio.StreamWriter) -> None:
    """Send a RST instead of a FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def write(*pieces: bytes) -> Callable[[asyncio.StreamWriter], None]:
    return lambda writer: writer.writelines(pieces)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_refused_connection_costs_nothing(client: ProviderClient) -> None:
    outcome = await fail(client, f"http://127.0.0.1:{closed_port()}/v1")
    assert (outcome.error_class, outcome.outcome_unknown, outcome.http_status) == (E.NETWORK, False, None)
    assert "could not connect" in outcome.message


async def test_an_unknown_host_costs_nothing(client: ProviderClient) -> None:
    outcome = await fail(client, "http://no-such-host.invalid/v1")
    assert (outcome.error_class, outcome.outcome_unknown) == (E.NETWORK, False)
    assert "does not resolve" in outcome.message


async def test_a_server_without_tls_costs_nothing(client: ProviderClient) -> None:
    async def refuse(server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(5)
        writer.write(http(b"", status=400))

    async with scripted(refuse) as server:
        outcome = await fail(client, f"https://127.0.0.1:{server.port}/v1")
    assert (outcome.error_class, outcome.outcome_unknown) == (E.NETWORK, False)
    assert server.requests == []


@pytest.mark.parametrize("base_url", ["", "nonsense", "http://", "ftp://x.test/v1", "http://[::1", "http://x:99999/v1"])
async def test_an_unusable_address_is_a_failure(client: ProviderClient, base_url: str) -> None:
    outcome = await fail(client, base_url)
    assert (outcome.error_class, outcome.outcome_unknown) == (E.NETWORK, False)
    assert "base_url" in outcome.message


async def unaccepting() -> AsyncIterator[int]:
    """A port whose queue of connections is full: connecting neither succeeds nor fails."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    waiting = []
    for _ in range(4):
        other = socket.socket()
        other.setblocking(False)
        other.connect_ex(listening.getsockname())
        waiting.append(other)
    yield listening.getsockname()[1]
    for one in (*waiting, listening):
        one.close()


full_port = pytest.fixture(unaccepting)


async def test_a_connection_that_takes_too_long_costs_nothing(client: ProviderClient, full_port: int) -> None:
    outcome = await fail(client, f"http://127.0.0.1:{full_port}/v1", connect_timeout_ms=150)
    assert (outcome.error_class, outcome.outcome_unknown) == (E.NETWORK, False)
    assert "150 ms" in outcome.message


async def test_a_deadline_before_the_connection_costs_nothing(client: ProviderClient, full_port: int) -> None:
    outcome = await fail(client, f"http://127.0.0.1:{full_port}/v1", timeout_ms=150)
    assert (outcome.error_class, outcome.outcome_unknown) == (E.TIMEOUT, False)


@pytest.mark.parametrize("timeout_ms", [0, -5])
async def test_a_deadline_already_past_sends_nothing(client: ProviderClient, timeout_ms: int) -> None:
    async with scripted(answering(http())) as server:
        outcome = await fail(client, server.base_url, timeout_ms=timeout_ms)
    assert (outcome.error_class, outcome.outcome_unknown) == (E.TIMEOUT, False)
    assert server.requests == []


async def test_a_server_that_never_answers_may_have_billed(client: ProviderClient) -> None:
    async with scripted(hanging()) as server:
        outcome = await fail(client, server.base_url, timeout_ms=200)
        await asyncio.wait_for(server.hung_up.wait(), 5)
    assert (outcome.error_class, outcome.outcome_unknown, outcome.http_status) == (E.TIMEOUT, True, None)
    assert len(server.requests) == 1


async def test_the_targets_own_bound_cuts_the_deadline(client: ProviderClient) -> None:
    started = time.monotonic()
    async with scripted(hanging()) as server:
        outcome = await fail(client, server.base_url, timeout_ms=60_000, total_timeout_ms=200)
    assert outcome.error_class is E.TIMEOUT
    assert time.monotonic() - started < 10


async def test_a_body_that_drips_is_cut_by_the_total_deadline(client: ProviderClient) -> None:
    async def drip(server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(server, reader)
        writer.write(http(BODY)[: -len(BODY)])
        for byte in BODY:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)

    async with scripted(drip) as server:
        outcome = await fail(client, server.base_url, timeout_ms=300)
    assert (outcome.error_class, outcome.outcome_unknown, outcome.http_status) == (E.TIMEOUT, True, 200)


@pytest.mark.parametrize("act", [reset, write()], ids=["reset", "closed"])
async def test_a_connection_lost_after_sending_may_have_billed_and_is_not_sent_again(
    client: ProviderClient, act: Callable[[asyncio.StreamWriter], Any]
) -> None:
    async with scripted(after_request(act)) as server:
        outcome = await fail(client, server.base_url)
    assert (outcome.error_class, outcome.outcome_unknown) == (E.NETWORK, True)
    assert len(server.requests) == 1


@pytest.mark.parametrize("act", [reset, write()], ids=["reset", "closed"])
async def test_a_kept_alive_connection_that_dies_under_the_second_request_is_not_sent_again(
    client: ProviderClient, act: Callable[[asyncio.StreamWriter], None]
) -> None:
    """The classic race: the server closes an idle connection while the next request is on its way."""

    async def serve_one(server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(server, reader)
        writer.write(http())
        await read_request(server, reader)
        act(writer)

    async with scripted(serve_one) as server:
        assert isinstance(await call(client, server.base_url), Answer)
        outcome = await fail(client, server.base_url)
        assert (outcome.error_class, outcome.outcome_unknown) == (E.NETWORK, True)
        assert (server.connections, len(server.requests)) == (1, 2)
        assert isinstance(await call(client, server.base_url), Answer)


async def test_a_connection_closed_while_idle_is_replaced_unseen(client: ProviderClient) -> None:
    async with scripted(after_request(write(http()))) as server:
        assert isinstance(await call(client, server.base_url), Answer)
        await server_side_close_arrives(client)
        assert isinstance(await call(client, server.base_url), Answer)
    assert (server.connections, len(server.requests)) == (2, 2)


async def server_side_close_arrives(client: ProviderClient) -> None:
    """Wait until no idle connection of the pool is alive."""
    pool = client._transport._session.connector._conns  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        while any(protocol.is_connected() for idle in pool.values() for protocol, _ in idle):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_server_that_stops_reading_a_large_request_has_not_served_it(client: ProviderClient) -> None:
    async def slam(server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        reset(writer)

    body = orjson.dumps({"messages": [{"role": "user", "content": "x" * 30_000_000}]})
    async with scripted(slam) as server:
        target = Target("acme", "openai", server.base_url, "m")
        outcome = await client.call(target, Endpoint.CHAT, body, attempt_id="a", timeout_ms=10_000)
    assert isinstance(outcome, Failure)
    assert (outcome.error_class, outcome.outcome_unknown) == (E.NETWORK, False)


@pytest.mark.parametrize(
    ("response", "says"),
    [
        (http(BODY[:-20], length=len(BODY)), "not complete"),
        (b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"id"\r\n', "not complete"),
        (http(BODY[:-20]), "cut short"),
        (http(b""), "empty"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "not valid HTTP"),
        (http(headers=("x-long: " + "y" * 20_000,)), "not valid HTTP"),
        (http(gzip.compress(BODY)[:-12], headers=("content-encoding: gzip",)), "cut short"),
        (http(BODY, headers=("content-encoding: gzip",)), "damaged"),
        (http(BODY, headers=("content-encoding: br",)), "'br' is not understood"),
        (http(b"<html>", headers=("content-type: text/html",)), "not JSON"),
    ],
)
async def test_an_answer_that_cannot_be_used_may_have_been_billed(
    client: ProviderClient, response: bytes, says: str
) -> None:
    async with scripted(after_request(write(response))) as server:
        outcome = await fail(client, server.base_url)
    assert (outcome.error_class, outcome.outcome_unknown) == (E.INVALID_RESPONSE, True)
    assert says in outcome.message
    assert len(server.requests) == 1


async def test_an_answer_over_the_cap_is_refused_and_its_connection_dropped(client: ProviderClient) -> None:
    async with scripted(answering(http(b" " * 300_000 + BODY), http())) as server:
        outcome = await fail(client, server.base_url, max_response_bytes=100_000)
        assert (outcome.error_class, outcome.outcome_unknown) == (E.INVALID_RESPONSE, True)
        assert "100000 bytes" in outcome.message
        assert isinstance(await call(client, server.base_url), Answer)
    assert server.connections == 2


async def test_an_answer_of_just_the_cap_passes(client: ProviderClient) -> None:
    compressed = http(gzip.compress(BODY), headers=("content-encoding: gzip",))
    async with scripted(answering(http(), compressed)) as server:
        for _ in range(2):
            assert isinstance(await call(client, server.base_url, max_response_bytes=len(BODY)), Answer)
        assert (await fail(client, server.base_url, max_response_bytes=len(BODY) - 1)).outcome_unknown


async def test_a_bomb_does_not_unpack(client: ProviderClient) -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 200_000_000, 9), 9)
    twice = gzip.decompress(bomb)  # about 200 kB that unpack to 200 MB
    async with scripted(answering(http(twice, headers=("content-encoding: gzip",)))) as server:
        tracemalloc.start()
        outcome = await fail(client, server.base_url, max_response_bytes=1_000_000)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert outcome.error_class is E.INVALID_RESPONSE
    assert peak_bytes < 10_000_000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(client: ProviderClient, status: int) -> None:
    async with scripted(answering(http())) as elsewhere:
        location = f"location: {elsewhere.base_url}/chat/completions"
        async with scripted(answering(http(b"", status=status, headers=(location,)))) as server:
            outcome = await fail(client, server.base_url)
    assert (outcome.error_class, outcome.outcome_unknown) == (E.SERVER_ERROR, False)
    assert (len(server.requests), len(elsewhere.requests)) == (1, 0)


@pytest.mark.parametrize(
    "response",
    [
        http(b"x" * 300_000, status=429, headers=("retry-after: 3",)),
        http(b"x" * 10, status=429, headers=("retry-after: 3",), length=500),
        http(b"garbage", status=429, headers=("retry-after: 3", "content-encoding: gzip")),
    ],
)
async def test_a_refusal_with_an_unreadable_body_is_still_one(client: ProviderClient, response: bytes) -> None:
    async with scripted(after_request(write(response))) as server:
        outcome = await fail(client, server.base_url, max_response_bytes=100_000)
    assert (outcome.error_class, outcome.retry_after_ms, outcome.outcome_unknown) == (E.RATE_LIMIT, 3_000, False)


async def test_cancelling_a_call_closes_its_connection(client: ProviderClient) -> None:
    async with scripted(hanging()) as server:
        task = asyncio.create_task(call(client, server.base_url))
        await asyncio.wait_for(server.arrived.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.hung_up.wait(), 5)


async def test_closing_the_client_ends_running_calls_as_failures() -> None:
    client = ProviderClient()
    async with scripted(hanging()) as server:
        task = asyncio.create_task(fail(client, server.base_url))
        await asyncio.wait_for(server.arrived.wait(), 5)
        await client.aclose()
        assert (await task).error_class is E.NETWORK


@pytest.mark.parametrize("header", [("x-a", "b\r\nx-evil: 1"), ("x-a", "\u20ac")])
async def test_a_header_that_cannot_be_sent_is_a_failure_that_does_not_quote_it(
    client: ProviderClient, header: tuple[str, str]
) -> None:
    async with scripted(answering(http())) as server:
        outcome = await fail(client, server.base_url, headers=(header,))
    assert not outcome.outcome_unknown
    assert header[1] not in outcome.message
    assert server.requests == []


async def test_an_unknown_dialect_is_a_failure(client: ProviderClient) -> None:
    assert (await fail(client, "http://127.0.0.1:1/v1", dialect="klingon")).error_class is E.INTERNAL
