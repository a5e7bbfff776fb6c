"""A response body, read whole and decompressed under one cap, so that no body can fill the memory."""

import zlib
from collections.abc import AsyncGenerator, AsyncIterable

from providers.client_room import FREE_BYTES, BodyRoom

IDENTITY = ("", "identity")
ZLIB_FAMILY = ("gzip", "x-gzip", "deflate")
MAX_PIECE_BYTES = 1 << 18
_AUTO_HEADER = zlib.MAX_WBITS | 32


class BodyTooLarge(Exception):
    """The body passes the cap; nothing of it is kept."""


class BodyNotDecodable(Exception):
    """The body's compression is unknown, damaged or cut short."""


async def read_body(pieces: AsyncIterable[bytes], encoding: str, max_bytes: int, room: BodyRoom) -> bytes:
    """Read and decompress a body. Raises BodyTooLarge, BodyNotDecodable, and what reading raises.

    We ask for no compression; gzip and deflate are understood all the same, as some servers compress unasked.
    At most `max_bytes` and one network read are ever in memory, whatever a small compressed body unpacks to; what all
    large ones hold together is the room's to say.
    """
    kept: list[bytes] = []
    size = 0
    with room.share() as share:
        async for piece in read_pieces(pieces, encoding, max_bytes):
            kept.append(piece)
            size += len(piece)
            if size > FREE_BYTES:
                await share.hold(size)
        return b"".join(kept)


async def read_pieces(pieces: AsyncIterable[bytes], encoding: str, max_bytes: int) -> AsyncGenerator[bytes]:
    """Decompress a body while it arrives; no piece is empty. Raises as `read_body` does."""
    encoding = encoding.strip().lower()
    if encoding not in (*IDENTITY, *ZLIB_FAMILY):
        raise BodyNotDecodable(f"content-encoding {encoding[:40]!r} is not understood")
    size = 0
    async for piece in pieces if encoding in IDENTITY else _decompressed(pieces):
        size += len(piece)
        if size > max_bytes:
            raise BodyTooLarge
        if piece:
            yield piece


async def _decompressed(pieces: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    decoder = zlib.decompressobj(_AUTO_HEADER)
    try:
        async for piece in pieces:
            while piece:
                if decoder.eof:
                    decoder = zlib.decompressobj(_AUTO_HEADER)
                yield decoder.decompress(piece, MAX_PIECE_BYTES)
                piece = decoder.unused_data or decoder.unconsumed_tail
    except zlib.error:
        raise BodyNotDecodable("its compression is damaged") from None
    if not decoder.eof:
        raise BodyNotDecodable("its compressed body is cut short")
