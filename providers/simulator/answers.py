"""The answer: what will be sent for one call, and in which manner."""

import zlib
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any, Final

import orjson

from providers.simulator import wire
from providers.simulator.behaviours import BROKEN, Behaviour
from providers.simulator.bill import Outcome
from providers.simulator.chat import complete, read_chat
from providers.simulator.chunks import stream_events
from providers.simulator.embedding import embed, read_embedding
from providers.simulator.refusals import Refusal, bad_request
from providers.simulator.tokens import Usage

CHAT_PATH: Final = "/v1/chat/completions"
EMBEDDINGS_PATH: Final = "/v1/embeddings"
CALL_PATHS: Final = frozenset({CHAT_PATH, EMBEDDINGS_PATH})
_EVENTS: Final = "text/event-stream; charset=utf-8"
_BOMB_BYTES: Final = 1 << 30
_BOMB_BLOCK_BYTES: Final = 1 << 20
_BOMB_CRC: Final = 0x9AC47FA6
_NESTING: Final = 100_000
_HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


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


_MANNERS: Final = {
    Behaviour.DRIP: Manner.DRIP,
    Behaviour.CUT: Manner.CUT,
    Behaviour.RESET: Manner.RESET,
    Behaviour.HANG: Manner.HANG,
    Behaviour.HUGE: Manner.FLOOD,
}


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


def refusal_answer(refusal: Refusal) -> Answer:
    """Return the answer that refuses a call."""
    return Answer(refusal.status, (refusal.body(),), headers=refusal.headers, outcome=Outcome.REFUSED)


def redirect_answer(location: str) -> Answer:
    """Return a 302 to another address."""
    return Answer(302, (b"",), "text/plain", headers=(("location", location),), outcome=Outcome.REFUSED)


def generate(behaviour: Behaviour, path: str, body: dict[str, Any], call_id: str, now_s: int) -> tuple[Answer, Usage]:
    """Answer a call as its model behaves, with what it really used; raises Refused (400) for a wrong request."""
    if path == CHAT_PATH:
        answer, usage = _chat(behaviour, body, call_id, now_s)
    else:
        answer, usage = _embedding(behaviour, body)
    if behaviour is Behaviour.NAN:
        answer = replace(answer, parts=tuple(_with_nan(part) for part in answer.parts))
    if behaviour in _MANNERS:
        answer = replace(answer, manner=_MANNERS[behaviour], chunked=answer.chunked or behaviour is Behaviour.HUGE)
    if behaviour in BROKEN:
        answer = replace(_spoilt(behaviour, answer), outcome=Outcome.BROKEN)
    return answer, usage


def _chat(behaviour: Behaviour, body: dict[str, Any], call_id: str, now_s: int) -> tuple[Answer, Usage]:
    if behaviour is Behaviour.EMBED:
        raise bad_request("sim-embed is an embedding model; use it with /v1/embeddings.", "model")
    request = read_chat(body)
    value, usage = complete(request, call_id, now_s)
    _misreport(behaviour, value)
    if request.stream:
        return Answer(200, stream_events(value, include_usage=request.include_usage), _EVENTS, chunked=True), usage
    return Answer(200, (orjson.dumps(value),)), usage


def _embedding(behaviour: Behaviour, body: dict[str, Any]) -> tuple[Answer, Usage]:
    if behaviour in (Behaviour.SMALL, Behaviour.LARGE):
        raise bad_request(f"{behaviour} is a chat model; use sim-embed for embeddings.", "model")
    value, usage = embed(read_embedding(body))
    _misreport(behaviour, value)
    return Answer(200, (orjson.dumps(value),)), usage


def _misreport(behaviour: Behaviour, value: dict[str, Any]) -> None:
    if behaviour is Behaviour.NO_USAGE:
        del value["usage"]
    elif behaviour is Behaviour.BAD_USAGE:
        value["usage"] = {"prompt_tokens": -5, "completion_tokens": 1e308, "total_tokens": 1e308}


def _with_nan(part: bytes) -> bytes:
    return part.replace(b'"model":', b'"score":NaN,"model":', 1)


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
