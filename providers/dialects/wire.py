"""A call on the wire: what is sent to a provider and what came back, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StreamWish:
    """What a caller asked of a stream."""

    include_usage: bool = False
    """A last chunk with usage. It is always asked of the provider, and kept from callers who did not ask."""
    choices: int = 1
    """How many choices must end before the stream is whole."""


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP POST, ready to be sent."""

    url: str
    """Absolute, without credentials."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names in lower case. They hold the key, so they are never printed."""
    content: bytes = field(repr=False)
    """The JSON body."""
    dropped_params: tuple[str, ...] = ()
    """Fields of the caller's request that this server does not take and that were left out."""
    stream: StreamWish = StreamWish()
    """For a request that is to be streamed."""


@dataclass(frozen=True, slots=True)
class WireResponse:
    """One HTTP response, read to its end and decompressed."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last."""
    body: bytes = field(repr=False)
