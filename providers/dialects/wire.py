"""A call on the wire: what is sent to a provider and what came back, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Wish:
    """What of a request the reading of its answer must know."""

    include_usage: bool = False
    """A last chunk with usage. It is always asked of the provider, and kept from callers who did not ask."""
    choices: int = 1
    """How many choices must end before a stream is whole."""
    base64: bool = False
    """Vectors are wanted as base64 of little-endian 32-bit floats."""
    json_tool: str | None = None
    """Name of the tool by which JSON was asked for where the provider has no better way; its input is the answer."""


NO_WISH = Wish()


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
    wish: Wish = NO_WISH


@dataclass(frozen=True, slots=True)
class WireResponse:
    """One HTTP response, read to its end and decompressed."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last."""
    body: bytes = field(repr=False)
