"""The frames of a streamed body: server-sent events, or one JSON array whose items come as they are made.

Google sends the array where a stream is asked for without `alt=sse`, and some servers in front of it do so always.
"""

import re

from providers.dialects.sse import Event, EventParser
from providers.dialects.translation import FRAME_ERROR

_SIGNS = re.compile(rb'[{}"\\]')
_BETWEEN = b"[], \t\r\n"
_BLANK = b"\xef\xbb\xbf \t\r\n"


class GeminiFrames:
    """Cuts one body into events; see `Frames`. Its first sign that is no blank tells which kind it is."""

    def __init__(self) -> None:
        self._frames: EventParser | JsonItems | None = None

    @property
    def pending_bytes(self) -> int:
        """What is held of an event that is not complete."""
        return self._frames.pending_bytes if self._frames else 0

    def feed(self, piece: bytes) -> list[Event]:
        """Return the events that this piece completes."""
        if self._frames is None:
            piece = piece.lstrip(_BLANK)
            if not piece:
                return []
            self._frames = JsonItems() if piece[:1] in b"[{" else EventParser()
        return self._frames.feed(piece)

    def finish(self) -> list[Event]:
        """Return the events that the end of the body completes."""
        return self._frames.finish() if self._frames else []


class JsonItems:
    """Cuts the objects out of a JSON array; an object alone counts as an array of one."""

    def __init__(self) -> None:
        self._item = bytearray()
        self._depth = 0
        self._in_text = False
        self._escaped = False

    @property
    def pending_bytes(self) -> int:
        """What is held of an object that is not complete."""
        return len(self._item)

    def feed(self, piece: bytes) -> list[Event]:
        """Return the objects that this piece completes, each an event of its own."""
        events: list[Event] = []
        start = at = 0
        while at < len(piece):
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            sign = _SIGNS.search(piece, at)
            end = sign.start() if sign else len(piece)
            if self._depth == 0 and (piece[at:end].strip(_BETWEEN) or (sign and sign[0] != b"{")):
                return [*events, Event(FRAME_ERROR, b"")]
            if sign is None:
                break
            at = end + 1
            if self._take(piece[end : end + 1]):
                start = end
            elif self._depth == 0:
                events.append(Event(b"", bytes(self._item + piece[start:at])))
                self._item.clear()
        if self._depth:
            self._item += piece[start:]
        return events

    def finish(self) -> list[Event]:
        """Return an error where the body ends within an object."""
        return [Event(FRAME_ERROR, b"")] if self._item else []

    def _take(self, sign: bytes) -> bool:
        """Take a sign; True where an object of the array begins with it."""
        if self._in_text:
            self._escaped = sign == b"\\"
            self._in_text = sign != b'"'
        elif sign == b'"':
            self._in_text = True
        elif sign == b"{":
            self._depth += 1
            return self._depth == 1
        elif sign == b"}":
            self._depth -= 1
        return False
