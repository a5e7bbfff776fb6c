"""uvicorn's HTTP/1.1 protocol with bounds on what an unknown caller can make it hold.

The stock one buffers a request's head without limit, queues pipelined requests without limit, waits for a head and for
a reader without a time limit, and takes connections until the process has no file left to open. Refusals at this level
speak the same JSON as all others.
"""

import asyncio
import resource
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MOST_HEAD_BYTES = 32 * 1024
MOST_PIPELINED = 16
HEAD_S = 10.0
READER_S = 60.0
_FILES_KEPT_FREE = 256


def most_connections() -> int:
    """How many connections this process may have: some files stay free for the database, Redis and providers."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if files == resource.RLIM_INFINITY else max(files - _FILES_KEPT_FREE, files // 2)


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections that send too much before they are served, or nothing at all, or that stop reading."""

    _reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()
        if len(self.connections) > most_connections():
            self._refuse(503, "There are too many connections. Try again in a moment.", "too_many_connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_timer.cancel()
        self._reads_again()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The caller does not read as fast as we write: what waits for it is bounded, and so is its time."""
        super().pause_writing()
        self._reader_timer = self.loop.call_later(READER_S, self.transport.abort)

    def resume_writing(self) -> None:
        self._reads_again()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(431, f"The head of a request may have {MOST_HEAD_BYTES} bytes.", "request_head_too_large")
        elif len(self.pipeline) > MOST_PIPELINED:
            self._refuse(400, f"At most {MOST_PIPELINED} requests may wait on one connection.", "too_many_pipelined")

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_timer.cancel()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._begin_head()
        self._head_timer.cancel()  # between requests the keep-alive time-out counts, until the next head begins

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start_head_timer()  # what was counted stays: these bytes are this head's

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the shape of every other error."""
        self._refuse(400, msg, "invalid_http")

    def _reads_again(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def _begin_head(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self._start_head_timer()

    def _start_head_timer(self) -> None:
        if timer := getattr(self, "_head_timer", None):
            timer.cancel()
        self._head_timer: asyncio.TimerHandle = self.loop.call_later(HEAD_S, self._head_is_late)

    def _head_is_late(self) -> None:
        if not self.transport.is_closing():
            self._refuse(408, f"The head of a request must arrive within {HEAD_S:.0f} s.", "request_timeout")

    def _refuse(self, status: int, message: str, code: str) -> None:
        error: dict[str, Any] = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        body = orjson.dumps({"error": error})
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
