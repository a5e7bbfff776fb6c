"""The connection: one client's TCP connection, from bytes to requests and back.

Requests are served one after the other; one that comes before the last is answered waits (pipelining is allowed, and
not made fast). The rest of the simulator sees `write`, `finish`, `cut`, `reset` and the two hooks.
"""

import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, cast

import httptools

from providers.simulator import wire
from providers.simulator.refusals import Refusal
from providers.simulator.wire import Request

_BODY_LIMIT_BYTES: Final = 64 * 1024 * 1024
_URL_LIMIT_BYTES: Final = 8 * 1024


class Connection(asyncio.Protocol):
    """Reads requests from one connection and hands each to `handler`."""

    def __init__(self, handler: Callable[["Connection", Request], None], count: Callable[[int], None]) -> None:
        """Serve with `handler`; `count` hears +1 and -1 as the connection opens and closes."""
        self._handler = handler
        self._count = count
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._busy = False
        self._closing = False
        self._paused = False
        self._resume: Callable[[], None] | None = None
        self.on_gone: Callable[[], None] | None = None
        """Called once if the client leaves; set by whoever serves the request in hand."""
        self.gone = False
        self.on_message_begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._count(1)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever serves the request in hand."""
        self.gone = True
        self._waiting.clear()
        self._resume = None
        self._count(-1)
        if self.on_gone is not None:
            hook, self.on_gone = self.on_gone, None
            hook()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is no HTTP is answered 400 and closed."""
        if self._closing:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._give_up(Refusal(400, "This is not an HTTP/1.1 request the simulator can read."))

    def pause_writing(self) -> None:
        """Stop pumping: the client reads slowly."""
        self._paused = True

    def resume_writing(self) -> None:
        """Go on pumping."""
        self._paused = False
        if self._resume is not None:
            step, self._resume = self._resume, None
            step()

    def on_message_begin(self) -> None:
        """Parser hook: a new request starts."""
        self._url = b""
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._authorization = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._attempt: bytes | None = None
        self._expects = False

    def on_url(self, url: bytes) -> None:
        """Parser hook: a piece of the request target."""
        self._url += url
        if len(self._url) > _URL_LIMIT_BYTES:
            self._give_up(Refusal(414, "The request target is too long."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser hook: one header; the two that every call is asked for are kept apart."""
        size = len(name)
        if size == 13 and name.lower() == b"authorization":
            self._authorization = value
        elif size == 17 and name.lower() == b"x-laneway-attempt":
            self._attempt = value
        elif size == 6 and name.lower() == b"expect":
            self._expects = True
        else:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Parser hook: say `100 Continue` to a client that waits for it."""
        if self._expects and not self._busy:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Parser hook: a piece of the body."""
        self._body_bytes += len(body)
        if self._body_bytes <= _BODY_LIMIT_BYTES:
            self._body.append(body)
        elif not self._closing:
            self._give_up(Refusal(413, f"The body is larger than {_BODY_LIMIT_BYTES} bytes."))

    def on_message_complete(self) -> None:
        """Parser hook: the request is whole; serve it, or queue it behind the one in hand."""
        if self._closing:
            return
        path, _, query = self._url.decode("latin-1").partition("?")
        request = Request(
            method=self._parser.get_method().decode("latin-1"),
            path=path,
            query=query,
            body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
            authorization=self._authorization,
            headers=self._headers,
            attempt=self._attempt,
            keep_alive=self._parser.should_keep_alive(),
        )
        if self._busy:
            self._waiting.append(request)
        else:
            self._serve(request)

    def write(self, data: bytes) -> None:
        """Send bytes; nothing happens once the client has left."""
        if not self.gone:
            self._transport.write(data)

    def pump(self, parts: Iterator[bytes], done: Callable[[], None]) -> None:
        """Send parts one by one, no faster than the client reads, then call `done`; stops when the client leaves."""

        def step() -> None:
            while not self._paused:
                part = next(parts, None)
                if part is None:
                    done()
                    return
                self.write(part)
                if self.gone or self._transport.is_closing():
                    return
            self._resume = step

        step()

    def finish(self, *, keep_alive: bool) -> None:
        """End the request in hand: go on to the next one, or close."""
        self._busy = False
        self.on_gone = None
        if not keep_alive:
            self.cut()
        elif self._waiting:
            self._serve(self._waiting.popleft())

    def cut(self) -> None:
        """Close the connection once what was written is sent."""
        self._closing = True
        self.on_gone = None
        if not self.gone:
            self._transport.close()

    def reset(self) -> None:
        """Close the connection with a TCP reset (RST); what was written may be lost."""
        self._closing = True
        self.on_gone = None
        if self.gone:
            return
        duplicate = socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno()))
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        duplicate.close()
        self._transport.abort()

    def _serve(self, request: Request) -> None:
        self._busy = True
        self._handler(self, request)

    def _give_up(self, refusal: Refusal) -> None:
        body = refusal.body()
        self.write(wire.head(refusal.status, wire.JSON, len(body), keep_alive=False) + body)
        self.cut()
