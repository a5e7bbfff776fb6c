"""The lines of a stored file, read with flat memory.

Lines end at a line feed and nowhere else (U+2028 may stand inside a JSON string). Blank lines and a missing final
line feed are fine.
"""

from collections.abc import AsyncIterator

Lines = list[tuple[int, bytes]]
"""Some lines with their numbers, from 1."""


class LineTooLong(Exception):
    """A line is longer than the limit; `line` is its number."""

    def __init__(self, line: int) -> None:
        self.line = line


async def read_lines(chunks: AsyncIterator[bytes], most_bytes: int) -> AsyncIterator[Lines]:
    """Yield (line number, bytes) in groups, one group for each chunk in which a line ends. Raises LineTooLong."""
    number = 0
    begun: list[bytes] = []
    begun_bytes = 0
    async for chunk in chunks:
        begun.append(chunk)
        begun_bytes += len(chunk)
        if b"\n" in chunk:
            *whole, rest = b"".join(begun).split(b"\n")
            begun, begun_bytes = [rest], len(rest)
            lines = list(enumerate(whole, number + 1))
            number += len(whole)
            for line_number, line in lines:
                if len(line) > most_bytes:
                    raise LineTooLong(line_number)
            yield lines
        if begun_bytes > most_bytes:
            raise LineTooLong(number + 1)
    if begun_bytes:
        yield [(number + 1, b"".join(begun))]
