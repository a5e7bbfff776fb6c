"""The wire: HTTP/1.1 requests as read and response heads as bytes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final

JSON: Final = "application/json"
EVENTS: Final = "text/event-stream; charset=utf-8"
CHUNK_END: Final = b"0\r\n\r\n"
_KEY_HEADERS: Final = frozenset({b"x-api-key", b"api-key", b"x-goog-api-key"})
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus} | {529: "Overloaded"}


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, read to its end."""

    method: str
    path: str
    """Path without query, percent-encoding left as it came."""
    query: str
    """What follows the `?`, percent-encoding left as it came; empty if there is none."""
    body: bytes
    authorization: bytes
    """Value of the header, empty if absent."""
    headers: Sequence[tuple[bytes, bytes]]
    """The other headers, names as they came."""
    attempt: bytes | None
    """Value of `x-laneway-attempt`."""
    keep_alive: bool
    """Whether the connection may stay open after the answer."""

    def header(self, name: bytes) -> bytes:
        """Return one of the other headers by its name in lower case; empty if absent."""
        return next((value for key, value in self.headers if key.lower() == name), b"")

    def shows_a_key(self) -> bool:
        """Whether any header that a provider looks for a key in is there."""
        return bool(self.authorization) or any(name.lower() in _KEY_HEADERS for name, _ in self.headers)

    def bearer(self) -> bytes:
        """Return the token of an `Authorization: Bearer` header; empty if there is none."""
        scheme, _, token = self.authorization.partition(b" ")
        return token if scheme.lower() == b"bearer" else b""


def head(
    status: int,
    content_type: str,
    length_bytes: int | None,
    *,
    headers: tuple[tuple[str, str], ...] = (),
    keep_alive: bool = True,
) -> bytes:
    """Return the head of a response; a body of unknown length (None) is sent in chunks."""
    size = "transfer-encoding: chunked" if length_bytes is None else f"content-length: {length_bytes}"
    more = "".join(f"{name}: {value}\r\n" for name, value in headers) if headers else ""
    close = "" if keep_alive else "connection: close\r\n"
    phrase, date = _PHRASES.get(status, "Unknown"), _date(time.time_ns() // 1_000_000_000)
    lines = f"HTTP/1.1 {status} {phrase}\r\ndate: {date}\r\ncontent-type: {content_type}\r\n{size}\r\n{close}{more}\r\n"
    return lines.encode("latin-1")


@lru_cache(maxsize=1)
def _date(now_s: int) -> str:
    return formatdate(now_s, usegmt=True)


def chunk(data: bytes) -> bytes:
    """Return a piece of a body sent in chunks; empty for no data, since an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
