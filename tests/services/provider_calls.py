"""Provider calls for the client's tests: a call to a scripted server, and scripts that break it off."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any

from providers.client import ProviderClient
from providers.completion import Answer, Endpoint, Target
from providers.failure import Failure
from tests.services.scripted_server import Script, ScriptedServer, read_request

KEY = "sk-secret-0123456789"
REQUEST = b'{"model":"public","messages":[{"role":"user","content":"hi"}],"stream":true}'


async def fail(client: ProviderClient, base_url: str, *, timeout_ms: int = 60_000, **changes: Any) -> Failure:
    """Make a call that must fail, and check what holds for every failure."""
    outcome = await call(client, base_url, timeout_ms=timeout_ms, **changes)
    assert isinstance(outcome, Failure), outcome
    assert KEY not in repr(outcome)
    assert "acme" in outcome.message
    return outcome


async def call(client: ProviderClient, base_url: str, *, timeout_ms: int = 60_000, **changes: Any) -> Answer | Failure:
    """Make a call to a server; `changes` are fields of its target."""
    target = Target(
        **{"provider": "acme", "dialect": "openai", "model": "asked", "api_key": KEY, "base_url": base_url, **changes}
    )
    return await client.call(target, Endpoint.CHAT, REQUEST, attempt_id="job_1-1", timeout_ms=timeout_ms)


def after_request(act: Callable[[asyncio.StreamWriter], None]) -> Script:
    """Read one request, act, close the connection."""

    async def script(server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(server, reader)
        act(writer)

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
    """Act by sending some bytes."""
    return lambda writer: writer.writelines(pieces)
