"""uvicorn's HTTP/1.1 protocol with bounds on what an unknown caller can make it hold.

The stock one buffers a request's head without limit, queues pipelined requests without limit, and waits for a head
without a time limit. Refusals at this level speak the same JSON as all others.
"""

import asyncio
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MOST_HEAD_BYTES = 32 * 1024
MOST_PIPELINED = 16
HEAD_S = 20.0


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections that send too much before they are served, or nothing at all."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_timer.cancel()
        super().connection_lost(exc)

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
        self._begin_head()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the shape of every other error."""
        self._refuse(400, msg, "invalid_http")

    def _begin_head(self) -> None:
        self._in_head = True
        self._head_bytes = 0
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
