"""The exchange: one call on its connection, from arrival to its row on the bill."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from providers.limit import Demand
from providers.simulator import wire
from providers.simulator.answer import Answer, Manner
from providers.simulator.bill import Outcome
from providers.simulator.connection import Connection
from providers.simulator.settings import Price, Settings
from providers.simulator.tokens import Usage

_FILLER: Final = b"a" * 65_536


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called for what: the part of an exchange known on arrival."""

    number: int
    path: str
    attempt: bytes | None
    keep_alive: bool
    started_at_ms: int


class Exchange:
    """A call that was given an answer; generates for a while, delivers it, and reports its end once."""

    __slots__ = (
        "_connection",
        "_delivering",
        "_ended",
        "_loop",
        "_report",
        "_settings",
        "answer",
        "caller",
        "demand",
        "model",
        "price",
        "usage",
    )

    def __init__(
        self,
        caller: Caller,
        connection: Connection,
        settings: Settings,
        report: Callable[["Exchange", Outcome, int], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Begin; `report(exchange, outcome, ended_at_ms)` is called once, when the call has ended."""
        self.caller = caller
        self.model = ""
        """The model asked for; empty when the request did not say."""
        self.usage = Usage(0)
        self.price: Price | None = None
        """The model's price on arrival; null when the call was refused before that was known."""
        self.demand: Demand | None = None
        """What the limits counted when the call started; null when it was refused by then."""
        self._connection = connection
        self._settings = settings
        self._report = report
        self._loop = loop
        self._delivering = False
        self._ended = False

    def run(self, answer: Answer, delay_ms: int) -> None:
        """Deliver the answer after `delay_ms`; the call goes on (and is billed) if the client leaves meanwhile."""
        self.answer = answer
        self._connection.on_gone = self._client_left
        if answer.manner is Manner.HANG:
            return
        if delay_ms:
            self._loop.call_later(delay_ms / 1_000, self._deliver)
        else:
            self._deliver()

    def end(self, outcome: Outcome) -> None:
        """Report the end, unless that was done."""
        if not self._ended:
            self._ended = True
            self._report(self, outcome, time.time_ns() // 1_000_000)

    @property
    def billed(self) -> bool:
        """Whether an answer was generated to its end: known once the call has ended."""
        return self._delivering and self.answer.outcome is not Outcome.REFUSED

    def _client_left(self) -> None:
        if self._delivering or self.answer.manner is Manner.HANG:
            self.end(Outcome.CLIENT_LEFT)

    def _deliver(self) -> None:
        if self._ended:
            return
        self._delivering = True
        if self._connection.gone:
            self.end(Outcome.CLIENT_LEFT)
            return
        match self.answer.manner:
            case Manner.RESET:
                self._connection.reset()
                self.end(self.answer.outcome)
            case Manner.CUT:
                self._send_half()
            case Manner.DRIP:
                self._connection.write(self._head())
                body = b"".join(self._body())
                self._paced(iter([body[at : at + 1] for at in range(len(body))]), self._settings.drip_ms)
            case Manner.FLOOD:
                self._connection.pump(self._flood(), self._done)
            case _ if self.answer.chunked and self._settings.chunk_ms:
                self._connection.write(self._head())
                self._paced(self._body(), self._settings.chunk_ms)
            case _:
                self._connection.write(self._head() + b"".join(self._body()))
                self._done()

    def _send_half(self) -> None:
        body = b"".join(self._body())
        self._connection.write(self._head() + body[: len(body) // 2])
        self._connection.cut()
        self.end(Outcome.BROKEN)

    def _paced(self, parts: Iterator[bytes], pause_ms: int) -> None:
        """Send one part now and the rest later, `pause_ms` apart."""
        if self._connection.gone:
            return
        part = next(parts, None)
        if part is None:
            self._done()
            return
        self._connection.write(part)
        self._loop.call_later(pause_ms / 1_000, self._paced, parts, pause_ms)

    def _flood(self) -> Iterator[bytes]:
        yield self._head() + wire.chunk(b"".join(self.answer.parts))
        filler, left = wire.chunk(_FILLER), self._settings.huge_bytes
        while left > 0:
            yield filler if left >= len(_FILLER) else wire.chunk(_FILLER[:left])
            left -= len(_FILLER)
        yield wire.chunk(b'"}}]}') + wire.CHUNK_END

    def _done(self) -> None:
        self.end(self.answer.outcome)
        self._connection.finish(keep_alive=self.caller.keep_alive)

    def _head(self) -> bytes:
        answer = self.answer
        length = None if answer.chunked else sum(map(len, answer.parts))
        return wire.head(
            answer.status, answer.content_type, length, headers=answer.headers, keep_alive=self.caller.keep_alive
        )

    def _body(self) -> Iterator[bytes]:
        """Yield the body as it goes on the wire, part by part."""
        if not self.answer.chunked:
            yield from self.answer.parts
            return
        for part in self.answer.parts:
            yield wire.chunk(part)
        yield wire.CHUNK_END
