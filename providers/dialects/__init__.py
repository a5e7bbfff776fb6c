"""The wire dialects: pure functions between Laneway's completions and the bytes that providers speak."""

from typing import Protocol

from providers.completion import Answer, Endpoint, Target
from providers.dialects.openai import OpenAIDialect
from providers.dialects.wire import WireRequest, WireResponse
from providers.failure import Failure

__all__ = ["Dialect", "WireRequest", "WireResponse", "dialect", "dialect_names"]


class Dialect(Protocol):
    """One way of speaking. No I/O, no clock, no state; safe to share."""

    def encode(self, endpoint: Endpoint, body: bytes, target: Target) -> WireRequest | Failure:
        """Write a caller's JSON body for one deployment, or say why it cannot be sent.

        Sets the model, applies the target's quirks, leaves out streaming; unknown fields are kept.
        """
        ...

    def decode(self, endpoint: Endpoint, response: WireResponse, target: Target) -> Answer | Failure:
        """Read a whole response. Never raises, whatever the bytes."""
        ...


def dialect_names() -> tuple[str, ...]:
    """Return the names that `dialect` takes."""
    return ("openai",)


def dialect(name: str) -> Dialect:
    """Return a dialect by the name that catalogue rows use. Raises ValueError for an unknown one."""
    match name:
        case "openai":
            return OpenAIDialect()
        case _:
            raise ValueError(f"unknown dialect {name!r}; known: {', '.join(dialect_names())}")
