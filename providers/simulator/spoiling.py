"""The spoiling: how a broken behaviour ruins a finished answer on the wire."""

import zlib
from dataclasses import replace
from functools import cache
from typing import Final

from providers.simulator.answer import Answer, Manner
from providers.simulator.behaviours import BROKEN, Behaviour
from providers.simulator.bill import Outcome

_BOMB_BYTES: Final = 1 << 30
_BOMB_BLOCK_BYTES: Final = 1 << 20
_BOMB_CRC: Final = 0x9AC47FA6
_NESTING: Final = 100_000
_HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
_MANNERS: Final = {
    Behaviour.DRIP: Manner.DRIP,
    Behaviour.CUT: Manner.CUT,
    Behaviour.RESET: Manner.RESET,
    Behaviour.HANG: Manner.HANG,
    Behaviour.HUGE: Manner.FLOOD,
}


def spoil(behaviour: Behaviour, answer: Answer) -> Answer:
    """Return the answer as this behaviour sends it: a well-behaved one as it is."""
    if behaviour in _MANNERS:
        answer = replace(answer, manner=_MANNERS[behaviour], chunked=answer.chunked or behaviour is Behaviour.HUGE)
    if behaviour in BROKEN:
        answer = replace(_spoilt(behaviour, answer), outcome=Outcome.BROKEN)
    return answer


def _spoilt(behaviour: Behaviour, answer: Answer) -> Answer:
    whole = b"".join(answer.parts)
    match behaviour:
        case Behaviour.BAD_JSON:
            return Answer(200, (whole[: len(whole) // 2],), answer.content_type)
        case Behaviour.HTML:
            return Answer(200, (_HTML,), "text/html")
        case Behaviour.EMPTY:
            return Answer(200, (b"",))
        case Behaviour.HUGE:
            return replace(answer, parts=(b'{"choices":[{"index":0,"message":{"role":"assistant","content":"',))
        case Behaviour.GZIP_BOMB:
            return Answer(200, (gzip_bomb(),), headers=(("content-encoding", "gzip"),))
        case Behaviour.DEEP_JSON:
            return Answer(200, (b'{"choices":' + b"[" * _NESTING + b"]" * _NESTING + b"}",))
        case Behaviour.NAN:
            return replace(answer, parts=tuple(part.replace(b"{", b'{"score":NaN,', 1) for part in answer.parts))
    return answer


@cache
def gzip_bomb() -> bytes:
    """Return about 1 MB of gzip that unpacks to 1 GiB of spaces.

    One block is compressed and ended on a byte boundary with nothing kept from before it, so the same bytes may be
    repeated; only the checksum at the end covers the whole gibibyte, and is written down instead of computed.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(b" " * _BOMB_BLOCK_BYTES) + packer.flush(zlib.Z_FULL_FLUSH)
    end = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS).flush()
    trailer = _BOMB_CRC.to_bytes(4, "little") + (_BOMB_BYTES % (1 << 32)).to_bytes(4, "little")
    start = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return start + block * (_BOMB_BYTES // _BOMB_BLOCK_BYTES) + end + trailer
