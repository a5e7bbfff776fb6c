"""A streamed call: one request whose answer is handed on while it arrives.

The deadline bounds the whole call; between two pieces of the body at most the target's idle time may pass. Closing the
generator of events, or cancelling whoever waits for it, closes the connection at once.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from providers.client_body import read_pieces
from providers.client_connection import Response
from providers.client_errors import TransportError
from providers.client_failures import IdleTooLong, Progress, broken_off
from providers.client_request import Request
from providers.client_response import marked, read_whole
from providers.client_room import BodyRoom
from providers.client_transport import Transport
from providers.completion import Answer, Target
from providers.credentials.signatory import Signatory
from providers.dialects import AnswerStream, WireRequest, WireResponse
from providers.exchange import Exchange
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
JSON_STREAMS = ("ndjson", "jsonl", "json-seq", "jsonlines")
"""Parts of content types that name JSON and are streams of it; any other JSON is a whole body."""


@dataclass(frozen=True, slots=True)
class StreamOrder:
    """What a streamed call is made from."""

    exchange: Exchange
    target: Target
    wire: WireRequest
    request: Request
    timeout_ms: int


class StreamedCall:
    """Makes one call; `events` may be walked once."""

    def __init__(self, transport: Transport, signatory: Signatory, room: BodyRoom, order: StreamOrder) -> None:
        self._transport = transport
        self._signatory = signatory
        self._room = room
        self._order = order
        self._deadline_s = asyncio.get_running_loop().time() + order.timeout_ms / 1_000
        self._response: Response | None = None

    async def events(self) -> AsyncGenerator[StreamEvent]:
        """Yield chunks as they come, then exactly one answer or failure. Raises nothing but CancelledError."""
        outcome: Answer | Failure | None = None
        try:
            async with asyncio.timeout_at(self._deadline_s):
                begun = await self._begin()
            if isinstance(begun, Failure):
                outcome = begun
            elif isinstance(begun, Answer):
                yield tuple(self._order.exchange.retell(begun, self._head()))
                outcome = begun
            else:
                stream = self._order.exchange.open_stream(self._head())
                async for chunks in self._chunks(begun, stream):
                    yield chunks
                outcome = stream.outcome()
        except Exception as error:
            outcome = broken_off(error, self._progress())
        finally:
            if self._response is not None:
                self._response.close()
        yield marked(outcome, self._order.wire, self._response.headers if self._response else {})

    async def _begin(self) -> Response | Answer | Failure:
        """Send the request; returns a response whose body is a stream, or what came instead of one.

        That is a refusal, ours or the server's, or the whole answer of a server that does not stream.
        """
        order = self._order
        signed = await self._signatory.sign(order.target, order.request.unsigned)
        if isinstance(signed, Failure):
            return signed
        order.request.headers.update(signed)
        response = self._response = await self._transport.send(order.request)
        if response.status < 300 and _may_stream(response.headers.get("content-type", "")):
            return response
        whole = await read_whole(response, self._order.target.max_response_bytes, self._room)
        return self._order.exchange.decode(whole)

    def _head(self) -> WireResponse:
        assert self._response is not None
        return WireResponse(self._response.status, self._response.headers, b"")

    async def _chunks(self, response: Response, stream: AnswerStream) -> AsyncGenerator[tuple[bytes, ...]]:
        most = MAX_ENVELOPE * self._order.target.max_response_bytes
        pieces = read_pieces(response, response.headers.get("content-encoding", ""), most)
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
        except (TimeoutError, TransportError) as error:
            if stream.is_whole:
                return b""
            if isinstance(error, TimeoutError) and until_s < self._deadline_s:
                raise IdleTooLong from None
            raise

    def _progress(self) -> Progress:
        status = self._response.status if self._response else None
        return Progress(self._order.target, self._order.timeout_ms, status, self._order.request.handed_over)


def _may_stream(content_type: str) -> bool:
    content_type = content_type.lower()
    if "json" in content_type:
        return any(name in content_type for name in JSON_STREAMS)
    return not content_type.startswith(NO_STREAM)
