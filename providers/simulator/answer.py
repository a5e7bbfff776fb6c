"""The answer: what will be sent for one call, and in which manner."""

from dataclasses import dataclass
from enum import StrEnum

from providers.simulator import wire
from providers.simulator.bill import Outcome


class Manner(StrEnum):
    """How the bytes of an answer go out."""

    WHOLE = "whole"
    """At once; a stream's events with `chunk_ms` between them."""
    DRIP = "drip"
    """Byte by byte."""
    CUT = "cut"
    """The first half, then the connection is closed."""
    RESET = "reset"
    """Nothing, then the connection is reset."""
    HANG = "hang"
    """Nothing, ever."""
    FLOOD = "flood"
    """`huge_bytes` of filler after the parts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, ready to send."""

    status: int
    parts: tuple[bytes, ...]
    """The body: one part, or one for each event of a stream."""
    content_type: str = wire.JSON
    chunked: bool = False
    """Whether the body goes out in chunks, without a Content-Length."""
    headers: tuple[tuple[str, str], ...] = ()
    manner: Manner = Manner.WHOLE
    outcome: Outcome = Outcome.ANSWERED
    """What the bill says if the client stays to the end."""


def redirect_answer(location: str) -> Answer:
    """Return a 302 to another address."""
    return Answer(302, (b"",), "text/plain", headers=(("location", location),), outcome=Outcome.REFUSED)
