"""Frames of `application/vnd.amazon.eventstream`: a stream's bytes as events.

    total length    u32    of the whole frame, big-endian as all numbers
    headers length  u32
    prelude CRC     u32    CRC-32 of the eight bytes before
    headers                name length u8, name, type u8, value; of type 7, a string: length u16, value
    payload                JSON
    message CRC     u32    CRC-32 of everything before

The header `:message-type` is `event`, named by `:event-type`; `exception`, named by `:exception-type`; or `error`,
whose `:error-code` and `:error-message` stand for a payload.
"""

import struct
import zlib

import orjson

from providers.dialects.sse import Event
from providers.dialects.translation import FRAME_ERROR

EXCEPTION = b"exception "
"""Begins the name of an event that is an exception; its own name follows."""
MAX_FRAME_BYTES = 24 << 20
_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_LENGTH = struct.Struct(">H")
_OVERHEAD_BYTES = _PRELUDE.size + _CRC.size
_STRING = 7
_FIXED_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Lengths of the values of other types: booleans, integers, a time, a UUID. Type 6, bytes, is written as a string."""


class FrameCutter:
    """Cuts one stream; see `providers.dialects.translation.Frames`."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def pending_bytes(self) -> int:
        """What is held of a frame that is not complete."""
        return len(self._held)

    def feed(self, piece: bytes) -> list[Event]:
        """Return the events that this piece completes; after a damaged frame nothing is read any more."""
        self._held += piece
        events: list[Event] = []
        start = 0
        while len(self._held) - start >= _PRELUDE.size:
            total, headers, crc = _PRELUDE.unpack_from(self._held, start)
            if not _is_sound(bytes(self._held[start : start + 8]), crc, total, headers):
                self._held.clear()
                return [*events, Event(FRAME_ERROR, b"")]
            if len(self._held) - start < total:
                break
            events.append(_event(bytes(self._held[start : start + total]), headers))
            start += total
        del self._held[:start]
        return events

    def finish(self) -> list[Event]:
        """A frame that was cut short says nothing: the answer is whole without it, or it is not."""
        return []


def _is_sound(lengths: bytes, crc: int, total: int, headers: int) -> bool:
    fits = _OVERHEAD_BYTES + headers <= total <= MAX_FRAME_BYTES
    return fits and zlib.crc32(lengths) == crc


def _event(frame: bytes, headers_bytes: int) -> Event:
    end = len(frame) - _CRC.size
    if zlib.crc32(memoryview(frame)[:end]) != _CRC.unpack_from(frame, end)[0]:
        return Event(FRAME_ERROR, b"")
    payload_at = _PRELUDE.size + headers_bytes
    try:
        headers = _headers(frame[_PRELUDE.size : payload_at])
    except (IndexError, KeyError, struct.error):
        return Event(FRAME_ERROR, b"")
    match headers.get(b":message-type"):
        case b"event":
            return Event(headers.get(b":event-type", b""), frame[payload_at:end])
        case b"exception":
            return Event(EXCEPTION + headers.get(b":exception-type", b""), frame[payload_at:end])
        case b"error":
            message = headers.get(b":error-message", b"").decode("utf-8", "replace")
            return Event(EXCEPTION + headers.get(b":error-code", b""), orjson.dumps({"message": message}))
        case _:
            return Event(FRAME_ERROR, b"")


def _headers(block: bytes) -> dict[bytes, bytes]:
    """Read a block of headers, keeping the strings. Raises IndexError, KeyError or struct.error for a damaged one."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(block):
        name_at = at + 1
        type_at = name_at + block[at]
        kind, at = block[type_at], type_at + 1
        if kind in (6, _STRING):
            (length,) = _LENGTH.unpack_from(block, at)
            at += _LENGTH.size
        else:
            length = _FIXED_BYTES[kind]
        if at + length > len(block):
            raise IndexError
        if kind == _STRING:
            found[block[name_at:type_at]] = block[at : at + length]
        at += length
    return found
