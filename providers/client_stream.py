"""A streamed call: one request whose answer is handed on while it arrives.

The deadline bounds the whole call; between two pieces of the body at most the target's idle time may pass. Closing the
generator of events, or cancelling whoever waits for it, closes the connection at once.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import httpx

from providers.client_body import read_pieces
from providers.client_failures import IdleTooLong, Progress, broken_off
from providers.client_response import headers_of, read_whole
from providers.client_transport import Transport
from providers.completion import Answer, Endpoint, Target
from providers.dialects import AnswerStream, Dialect, WireRequest, WireResponse
from providers.failure import Failure

StreamEvent = tuple[bytes, ...] | Answer | Failure
"""Chunks that arrived together, each one JSON text; the last event is the whole answer, or why there is none."""

MAX_ENVELOPE = 8
"""A stream repeats its envelope with every token: its body may be this much larger than a whole answer."""
AFTER_WHOLE_S = 5.0
"""How long usage and end marker are waited for once every choice has ended."""
DRAIN_S = 0.05
"""How long the end of the body is waited for after the end marker, so that the connection can be used again."""
NO_STREAM = ("text/html", "multipart/", "image/", "audio/", "video/")


@dataclass(frozen=True, slots=True)
class StreamOrder:
    """What a streamed call is made from."""

    speaker: Dialect
    endpoint: Endpoint
    target: Target
    wire: WireRequest
    request: httpx.Request
    timeout_ms: int


class StreamedCall:
    """Makes one call; `events` may be walked once."""

    def __init__(self, transport: Transport, order: StreamOrder) -> None:
        self._transport = transport
        self._order = order
        self._deadline_s = asyncio.get_running_loop().time() + order.timeout_ms / 1_000
        self._response: httpx.Response | None = None

    async def events(self) -> AsyncGenerator[StreamEvent]:
        """Yield chunks as they come, then exactly one answer or failure. Raises nothing but CancelledError."""
        outcome: Answer | Failure | None = None
        try:
            async with asyncio.timeout_at(self._deadline_s):
                response = self._response = await self._transport.handle_async_request(self._order.request)
                refused = await self._unless_streamed(response)
            if refused is None or isinstance(refused, Answer):
                stream = self._open(response)
                if refused is None:
                    async for chunks in self._chunks(response, stream):
                        yield chunks
                else:
                    yield (*stream.feed(b"data: " + refused.body.replace(b"\n", b" ") + b"\n\n"), *stream.end())
                outcome = stream.outcome()
            else:
                outcome = refused
        except Exception as error:
            outcome = broken_off(error, self._progress())
        finally:
            if self._response is not None and isinstance(self._response.stream, httpx.AsyncByteStream):
                await self._response.stream.aclose()
        if isinstance(outcome, Answer) and self._order.wire.dropped_params:
            outcome = dataclasses.replace(outcome, dropped_params=self._order.wire.dropped_params)
        yield outcome

    async def _unless_streamed(self, response: httpx.Response) -> Answer | Failure | None:
        """Read a response that is no stream: a refusal, or the whole answer of a server that does not stream."""
        content_type = response.headers.get("content-type", "").lower()
        if response.status_code < 300 and "json" not in content_type and not content_type.startswith(NO_STREAM):
            return None
        whole = await read_whole(response, self._order.target.max_response_bytes)
        return self._order.speaker.decode(self._order.endpoint, whole, self._order.target, self._order.wire.wish)

    def _open(self, response: httpx.Response) -> AnswerStream:
        head = WireResponse(response.status_code, headers_of(response), b"")
        return self._order.speaker.open_stream(head, self._order.wire.wish, self._order.target)

    async def _chunks(self, response: httpx.Response, stream: AnswerStream) -> AsyncGenerator[tuple[bytes, ...]]:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        most = MAX_ENVELOPE * self._order.target.max_response_bytes
        pieces = read_pieces(response.stream, response.headers.get("content-encoding", ""), most)
        while not stream.is_over:
            piece = await self._next(pieces, stream)
            chunks = stream.feed(piece) if piece else stream.end()
            if chunks:
                yield tuple(chunks)
        if stream.is_whole:
            with contextlib.suppress(Exception):  # a TimeoutError most often: the answer is whole already
                async with asyncio.timeout(DRAIN_S):
                    async for _ in pieces:
                        pass

    async def _next(self, pieces: AsyncGenerator[bytes], stream: AnswerStream) -> bytes:
        """Wait for the next bytes of the body; none when it has ended, or is whole and brings nothing more."""
        idle_s = AFTER_WHOLE_S if stream.is_whole else self._order.target.idle_timeout_ms / 1_000
        until_s = asyncio.get_running_loop().time() + idle_s
        try:
            async with asyncio.timeout_at(min(until_s, self._deadline_s)):
                return await anext(pieces, b"")
        except (TimeoutError, httpx.TransportError) as error:
            if stream.is_whole:
                return b""
            if isinstance(error, TimeoutError) and until_s < self._deadline_s:
                raise IdleTooLong from None
            raise

    def _progress(self) -> Progress:
        handed_over = bool(self._order.request.extensions.get("handed_over"))
        status = self._response.status_code if self._response else None
        return Progress(self._order.target, self._order.timeout_ms, status, handed_over)
