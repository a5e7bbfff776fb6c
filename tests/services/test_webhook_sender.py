"""The sender: one post, to an address that was looked at, and never anywhere else."""

import asyncio
import datetime
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from router.delivery import SendError, Sent
from router.webhook_url import TargetRules
from tests.hostile_urls import HOSTILE, TARGETS_AT_HAND
from tests.services.scripted_server import scripted
from tests.valkey_server import silent_port
from tests.webhook_receiver import receiving
from workers.webhooks.guard import GuardedResolver, Resolve, TargetRefused, guarded_socket
from workers.webhooks.sender import Sender

PUBLIC = TargetRules(allow_high_ports=True)
PRIVATE = TargetRules(allow_private=True)
SOMEWHERE = "93.184.215.14"


@asynccontextmanager
async def sending(
    rules: TargetRules = PRIVATE,
    *,
    timeout_ms: int = 60_000,
    resolve: Resolve | None = None,
    authorities: ssl.SSLContext | None = None,
) -> AsyncIterator[Sender]:
    sender = Sender(rules, timeout_ms, resolve=resolve, authorities=authorities)
    try:
        yield sender
    finally:
        await sender.close()


async def post(sender: Sender, url: str) -> Sent:
    return await sender.post(url, b'{"a":1}', {"webhook-id": "evt_1", "content-type": "application/json"})


async def test_no_spelling_of_a_private_target_reaches_a_server_there() -> None:
    async with receiving() as trap, sending(PUBLIC) as sender:
        urls = [url.format(port=trap.port) for url in TARGETS_AT_HAND]
        refused = [await post(sender, url) for url in urls]
        async with sending(TargetRules()) as strict:
            refused += [await post(strict, url) for url in (*urls, *HOSTILE)]
        assert {each.status for each in refused} == {None}
        assert {each.error for each in refused} == {SendError.TARGET}
        assert trap.connections == 0


async def test_a_name_with_one_private_address_among_public_ones_is_refused() -> None:
    async def mixed(host: str, port: int) -> Sequence[str]:
        return [SOMEWHERE, "127.0.0.1"]

    async with receiving() as trap, sending(PUBLIC, resolve=mixed) as sender:
        assert (await post(sender, f"https://hooks.example.com:{trap.port}/")).error == SendError.TARGET
        assert trap.connections == 0


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1", "fe80::1%lo", "0.0.0.0", "x"]
)
async def test_a_name_that_leads_to_a_private_address_is_refused(address: str) -> None:
    async def private(host: str, port: int) -> Sequence[str]:
        return [address]

    async with receiving() as trap, sending(PUBLIC, resolve=private) as sender:
        assert await post(sender, f"https://hooks.example.com:{trap.port}/") == Sent(error=SendError.TARGET)
        assert trap.connections == 0


async def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    """An allowed address first, a closed one the second time: a connection has one look-up, the one that is checked."""
    answers: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        answers.append("169.254.169.254" if answers else "127.0.0.1")
        return [answers[-1]]

    answer = _saying("HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    async with scripted(answer) as server, sending(resolve=rebinding) as sender:
        assert await post(sender, f"http://hooks.example.com:{server.port}/") == Sent(200)
        assert answers == ["127.0.0.1"]
        assert await post(sender, f"http://hooks.example.com:{server.port}/") == Sent(error=SendError.TARGET)
        assert (len(answers), server.connections) == (2, 1)


async def test_each_of_the_two_looks_refuses_by_itself() -> None:
    async def mixed(host: str, port: int) -> Sequence[str]:
        return [SOMEWHERE, "127.0.0.1"]

    with pytest.raises(TargetRefused):
        await GuardedResolver(mixed, PUBLIC).resolve("hooks.example.com", 443)
    open_socket = guarded_socket(PUBLIC)
    with pytest.raises(TargetRefused):
        open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 443)))
    open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", (SOMEWHERE, 443))).close()


async def test_a_redirect_is_a_failure_and_not_followed() -> None:
    async with receiving() as receiver, sending() as sender:
        assert await post(sender, receiver.url("/moved")) == Sent(301)
        assert [each.path for each in receiver.got] == ["/moved"]


async def test_the_bytes_and_headers_arrive_as_they_were_signed() -> None:
    async with receiving() as receiver, sending() as sender:
        assert await post(sender, receiver.url("/ok?token=%2Fa")) == Sent(200)
        (got,) = receiver.got
        assert (got.body, got.query, got.id) == (b'{"a":1}', "token=%2Fa", "evt_1")
        assert got.headers["content-type"] == "application/json"
        assert got.headers["content-length"] == "7"
        assert "cookie" not in got.headers


async def test_a_busy_receiver_says_when() -> None:
    async with receiving() as receiver, sending() as sender:
        assert await post(sender, receiver.url("/busy")) == Sent(503, retry_after_ms=2_000)


@pytest.mark.parametrize(
    ("written", "expected_ms"),
    [("120", 120_000), ("1.5", 1_500), ("-5", 0), ("1e99", 86_400_000), ("nan", None), ("soon", None), ("", None)],
)
async def test_any_retry_after_is_read(written: str, expected_ms: int | None) -> None:
    async with (
        scripted(_saying(f"HTTP/1.1 429 X\r\nretry-after: {written}\r\ncontent-length: 0\r\n\r\n")) as server,
        sending() as sender,
    ):
        assert (await post(sender, f"http://127.0.0.1:{server.port}/")) == Sent(429, retry_after_ms=expected_ms)


async def test_a_date_as_retry_after_is_read() -> None:
    when = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    async with (
        scripted(_saying(f"HTTP/1.1 503 X\r\nretry-after: {when}\r\ncontent-length: 0\r\n\r\n")) as server,
        sending() as sender,
    ):
        found = (await post(sender, f"http://127.0.0.1:{server.port}/")).retry_after_ms
        assert found is not None
        assert 20_000 < found <= 60_000


async def test_what_never_answers_is_a_timeout() -> None:
    async with receiving() as receiver, sending(timeout_ms=200) as sender:
        began = time.monotonic()
        assert await post(sender, receiver.url("/hang")) == Sent(error=SendError.TIMEOUT)
        assert time.monotonic() - began < 30


async def test_a_name_that_takes_for_ever_is_a_timeout() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with sending(PUBLIC, timeout_ms=200, resolve=never) as sender:
        assert await post(sender, "https://hooks.example.com/") == Sent(error=SendError.TIMEOUT)


async def test_ways_not_to_be_there() -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    with silent_port() as port:
        async with sending() as sender:
            assert await post(sender, f"http://127.0.0.1:{port}/") == Sent(error=SendError.CONNECT)
    async with sending(PUBLIC, resolve=nowhere) as sender:
        assert await post(sender, "https://hooks.example.com/") == Sent(error=SendError.DNS)


async def test_an_endless_body_is_cut_and_its_status_counts() -> None:
    async with receiving() as receiver, sending() as sender:
        began = time.monotonic()
        assert await post(sender, receiver.url("/flood")) == Sent(200)
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("answer", ["SSH-2.0-OpenSSH_9.6\r\n", "\r\n\r\n", "HTTP/1.1 999999 X\r\n\r\n", ""])
async def test_what_is_not_http_is_a_failure(answer: str) -> None:
    async with scripted(_saying(answer)) as server, sending() as sender:
        sent = await post(sender, f"http://127.0.0.1:{server.port}/")
        assert sent.status is None
        assert sent.error in (SendError.PROTOCOL, SendError.CONNECT)


async def test_over_tls_the_checked_address_is_called_by_its_name(tmp_path: Path) -> None:
    server_side, authorities = _certificate(tmp_path, "hooks.example.com")
    asked: list[str | None] = []
    server_side.sni_callback = lambda _socket, name, _context: asked.append(name)
    looked_up: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    async with receiving(tls=server_side) as receiver, sending(resolve=resolve, authorities=authorities) as sender:
        assert await post(sender, f"https://hooks.example.com:{receiver.port}/ok") == Sent(200)
        assert (asked, looked_up) == (["hooks.example.com"], ["hooks.example.com"])
        assert receiver.got[0].headers["host"] == f"hooks.example.com:{receiver.port}"
        assert (await post(sender, f"https://other.example.com:{receiver.port}/ok")).error == SendError.TLS
    async with receiving(tls=server_side) as receiver, sending(resolve=resolve) as sender:
        assert (await post(sender, f"https://hooks.example.com:{receiver.port}/ok")).error == SendError.TLS
        assert receiver.got == []


def _saying(answer: str):  # type: ignore[no-untyped-def]
    async def script(server, reader, writer):  # type: ignore[no-untyped-def]
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer.encode())
        await writer.drain()

    return script


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for a name; returns the server's context and that of a client that trusts it."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
         "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(certificate, key)
    return server_side, ssl.create_default_context(cafile=str(certificate))
