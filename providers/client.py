"""The client: one process's way to every provider. It sends a call once and says what came of it.

The wire formats are the dialects', the connections the transport's, credentials that are no key the signatory's; here
are the deadline, the cap on the body and the reading of every way in which a call can break off. Waiting, retrying and
choosing another provider are not.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from providers.client_failures import Progress, broken_off
from providers.client_request import Address, Request, address_of
from providers.client_response import marked, read_whole
from providers.client_room import BodyRoom
from providers.client_stream import StreamedCall, StreamEvent, StreamOrder
from providers.client_transport import HttpTransport, Transport
from providers.completion import Answer, Endpoint, Target
from providers.credentials.signatory import Signatory
from providers.dialects import Dialect, WireRequest, WireResponse, dialect, dialect_names
from providers.exchange import Exchange, exchange
from providers.failure import ErrorClass, Failure

ATTEMPT_HEADER = "x-laneway-attempt"
MOST_ADDRESSES = 4096


class ProviderClient:
    """Sends calls to providers over one pool of connections.

    Use it on one event loop only. The pool is not bounded: how many calls run at
    once is the engine's to decide.
    """

    def __init__(self, transport: Transport | None = None) -> None:
        self._transport = transport or HttpTransport()
        self._signatory = Signatory()
        self._dialects: dict[str, Dialect] = {name: dialect(name) for name in dialect_names()}
        self._addresses: dict[str, Address] = {}
        self._room = BodyRoom()

    async def call(
        self, target: Target, endpoint: Endpoint, body: bytes, *, attempt_id: str, timeout_ms: int, answer_id: str = ""
    ) -> Answer | Failure:
        """Make one call: at most one request on the wire, never more than `timeout_ms` in all.

        `timeout_ms` runs from now to the last byte read; the target's own bound cuts it further. `attempt_id` is sent
        as `x-laneway-attempt`; `answer_id` is what the answer shall be called, where its surface has the name from us.
        Raises nothing but CancelledError, which closes the call's connection.
        """
        opened = self._exchange(target, endpoint, answer_id)
        if isinstance(opened, Failure):
            return opened
        wire = opened.encode(body)
        if isinstance(wire, Failure):
            return wire
        response = await self._send(target, wire, attempt_id, min(timeout_ms, target.total_timeout_ms))
        if isinstance(response, Failure):
            return response
        return marked(opened.decode(response), wire, response.headers)

    async def stream(
        self, target: Target, endpoint: Endpoint, body: bytes, *, attempt_id: str, timeout_ms: int, answer_id: str = ""
    ) -> AsyncGenerator[StreamEvent]:
        """Make one streamed call, under the same rules as `call`; yields chunks, then exactly one answer or failure.

        Whoever stops early closes the generator (`contextlib.aclosing`), which closes the call's connection at once.
        """
        opened = self._exchange(target, endpoint, answer_id)
        if isinstance(opened, Failure):
            yield opened
            return
        wire = opened.encode(body, stream=True)
        if isinstance(wire, Failure):
            yield wire
            return
        timeout_ms = min(timeout_ms, target.total_timeout_ms)
        try:
            request = self._request(wire, attempt_id, target.connect_timeout_ms)
        except Exception as error:
            yield broken_off(error, Progress(target, timeout_ms, None, handed_over=False))
            return
        order = StreamOrder(opened, target, wire, request, timeout_ms)
        async with contextlib.aclosing(
            StreamedCall(self._transport, self._signatory, self._room, order).events()
        ) as events:
            async for event in events:
                yield event

    async def aclose(self) -> None:
        """Close the connections. Calls still running end as failures of class `network`."""
        await self._transport.aclose()

    def _exchange(self, target: Target, endpoint: Endpoint, answer_id: str) -> Exchange | Failure:
        speaker = self._dialects.get(target.dialect)
        if speaker is None:
            return Failure(ErrorClass.INTERNAL, f"provider {target.provider!r}: no dialect {target.dialect!r}")
        return exchange(speaker, endpoint, target, answer_id)

    async def _send(
        self, target: Target, wire: WireRequest, attempt_id: str, timeout_ms: int
    ) -> WireResponse | Failure:
        """Send and read to the end; turn every way of breaking off into a failure."""
        request: Request | None = None
        status: int | None = None
        try:
            if timeout_ms <= 0:
                raise TimeoutError
            request = self._request(wire, attempt_id, target.connect_timeout_ms)
            async with asyncio.timeout(timeout_ms / 1_000):
                signed = await self._signatory.sign(target, request.unsigned)
                if isinstance(signed, Failure):
                    return signed
                request.headers.update(signed)
                response = await self._transport.send(request)
                status = response.status
                return await read_whole(response, target.max_response_bytes, self._room)
        except Exception as error:
            handed_over = request is not None and request.handed_over
            return broken_off(error, Progress(target, timeout_ms, status, handed_over))

    def _request(self, wire: WireRequest, attempt_id: str, connect_timeout_ms: int) -> Request:
        address = self._addresses.get(wire.url)
        if address is None:
            if len(self._addresses) >= MOST_ADDRESSES:
                self._addresses.clear()
            address = self._addresses[wire.url] = address_of(wire.url)
        headers = dict(wire.headers)
        headers[ATTEMPT_HEADER] = attempt_id
        return Request(address, headers, wire.content, connect_timeout_ms / 1_000)
