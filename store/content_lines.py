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
    """Yield (line number, bytes) in groups, one group for each chunk read. Raises LineTooLong."""
    number = 0
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else (rest + chunk,)
        lines = [(number + index, line) for index, line in enumerate(whole, 1)]
        number += len(whole)
        for line_number, line in lines:
            if len(line) > most_bytes:
                raise LineTooLong(line_number)
        if len(rest) > most_bytes:
            raise LineTooLong(number + 1)
        yield lines
    if rest:
        yield [(number + 1, rest)]
