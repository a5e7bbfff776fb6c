"""Server-sent events, parsed from bytes as they arrive.

A line ends with LF, CRLF or CR, an event with an empty line. Comments, `id` and `retry` say nothing to us; several
`data` lines of one event are joined by line breaks. Some servers leave out the last empty line: feed one at the end.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One event that carries data."""

    name: bytes
    """The `event` field; empty where there was none."""
    data: bytes


class EventParser:
    """Takes the pieces of one body in order. However they are cut, the events are the same; nothing raises."""

    def __init__(self) -> None:
        self._open_line: list[bytes] = []
        self._after_cr = False
        self._at_start = True
        self._name = b""
        self._data: list[bytes] = []
        self._open_bytes = 0
        self._data_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """What is held of an event that is not complete."""
        return self._open_bytes + self._data_bytes

    def feed(self, piece: bytes) -> list[Event]:
        """Return the events that this piece completes."""
        if self._after_cr or b"\r" in piece:
            piece = self._with_plain_ends(piece)
        if b"\n" not in piece:
            self._keep(piece)
            return []
        self._open_line.append(piece)
        lines = b"".join(self._open_line).split(b"\n")
        self._open_line = []
        self._open_bytes = 0
        self._keep(lines.pop())
        return self._read(lines)

    def finish(self) -> list[Event]:
        """Return the event that lacks its empty line at the end of the body."""
        return self.feed(b"\n\n")

    def _with_plain_ends(self, piece: bytes) -> bytes:
        if self._after_cr and piece:
            piece = piece.removeprefix(b"\n")  # the second half of a line end that was cut in two
            self._after_cr = False
        if piece:
            self._after_cr = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._open_line.append(piece)
            self._open_bytes += len(piece)

    def _read(self, lines: list[bytes]) -> list[Event]:
        events = []
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._data_bytes += len(line)
            elif not line:
                if self._data:
                    data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                    events.append(Event(self._name, data))
                    self._data = []
                    self._data_bytes = 0
                self._name = b""
            elif line.startswith(b"event:"):
                self._name = line[6:].removeprefix(b" ")
            elif line == b"data":
                self._data.append(b"")
                self._data_bytes += len(line)
        return events
