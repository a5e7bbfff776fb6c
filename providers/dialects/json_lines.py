"""Lines of JSON, cut from the bytes of a streamed body as they arrive: each line an event, empty ones none."""

from providers.dialects.sse import Event


class JsonLines:
    """Takes the pieces of one body in order; see `providers.dialects.translation.Frames`."""

    def __init__(self) -> None:
        self._open_line: list[bytes] = []
        self.pending_bytes = 0
        """What is held of a line that has not ended."""

    def feed(self, piece: bytes) -> list[Event]:
        """Return the lines that this piece ends."""
        self._open_line.append(piece)
        if b"\n" not in piece:
            self.pending_bytes += len(piece)
            return []
        *lines, rest = b"".join(self._open_line).split(b"\n")
        self._open_line = [rest]
        self.pending_bytes = len(rest)
        return [Event(b"", line) for line in lines if line.strip()]

    def finish(self) -> list[Event]:
        """Return the line that lacks its end when the body ends."""
        return self.feed(b"\n")
