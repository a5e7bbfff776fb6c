"""A scripted server: a real TCP server on loopback that does one odd thing, and counts what reaches it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

BODY = orjson.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "served",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    }
)


@dataclass
class Received:
    """One request as it came off the wire."""

    head: str
    body: bytes

    def header(self, name: str) -> list[str]:
        """All values of a header, by its name in lower case."""
        lines = (line.split(": ", 1) for line in self.head.split("\r\n")[1:] if line)
        return [value for key, value in lines if key.lower() == name]


@dataclass
class ScriptedServer:
    """What a test sees of the server."""

    port: int = 0
    connections: int = 0
    requests: list[Received] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a whole request has been read."""
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a client closed a connection that the server was still serving."""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


Script = Callable[[ScriptedServer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one connection; the connection closes when it returns."""


def http(body: bytes = BODY, *, status: int = 200, headers: tuple[str, ...] = (), length: int | None = None) -> bytes:
    """Write a response; `length` overrides the true Content-Length."""
    lines = [f"HTTP/1.1 {status} X", "content-type: application/json", *headers]
    lines.append(f"content-length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def read_request(server: ScriptedServer, reader: asyncio.StreamReader) -> Received:
    """Read one whole request and note it. Raises IncompleteReadError when the client is gone."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    received = Received(head, b"")
    received.body = await reader.readexactly(int(received.header("content-length")[0]))
    server.requests.append(received)
    server.arrived.set()
    return received


def answering(*responses: bytes) -> Script:
    """Answer every request, with the responses in turn, and keep the connection open."""

    async def script(server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(server, reader)
            writer.write(responses[min(len(server.requests), len(responses)) - 1])
            await writer.drain()

    return script


@asynccontextmanager
async def scripted(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedServer]:
    """Run a server for the length of a test."""
    server = ScriptedServer()
    serving: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving[task] = writer
        server.connections += 1
        with suppress(asyncio.CancelledError):
            try:
                await script(server, reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                server.hung_up.set()
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await asyncio.sleep(0)  # let connections that were just accepted reach `serving`
        for task, writer in serving.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*serving, return_exceptions=True)
        await asyncio.sleep(0)  # let the transports close
