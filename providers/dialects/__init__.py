"""The wire dialects: pure functions between Laneway's completions and the bytes that providers speak."""

from collections.abc import Callable, Mapping
from typing import Protocol

from providers.completion import Answer, Endpoint, Target
from providers.dialects.anthropic import AnthropicTranslation
from providers.dialects.azure import AzureDialect
from providers.dialects.bedrock import BedrockTranslation
from providers.dialects.cohere import CohereTranslation
from providers.dialects.gemini import GeminiTranslation
from providers.dialects.ollama import OllamaTranslation
from providers.dialects.openai import OpenAIDialect
from providers.dialects.translated import TranslatedDialect
from providers.dialects.vertex import VertexTranslation
from providers.dialects.wire import NO_WISH, WireRequest, WireResponse, Wish
from providers.failure import Failure

__all__ = ["AnswerStream", "Dialect", "WireRequest", "WireResponse", "Wish", "dialect", "dialect_names"]


class AnswerStream(Protocol):
    """One streamed answer while it arrives. No I/O, no clock; nothing raises, whatever the bytes."""

    @property
    def is_over(self) -> bool:
        """Whether the outcome is settled; what still comes is not looked at."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether the answer is complete, though the provider may still send its usage or its end marker."""
        ...

    def feed(self, piece: bytes) -> list[bytes]:
        """Take bytes of the body; returns the chunks to hand on, each one JSON text without line breaks."""
        ...

    def end(self) -> list[bytes]:
        """Say that the body has ended, or that nothing more is waited for; returns the last chunks to hand on."""
        ...

    def outcome(self) -> Answer | Failure:
        """Return the whole answer as one that was not streamed, or why there is none. Ask when it is over."""
        ...


class Dialect(Protocol):
    """One way of speaking. No I/O, no clock, no state; safe to share."""

    def encode(self, endpoint: Endpoint, body: bytes, target: Target, *, stream: bool = False) -> WireRequest | Failure:
        """Write a caller's JSON body for one deployment, or say why it cannot be sent.

        Sets the model, applies the target's quirks, asks for a stream with usage or for a whole answer, whatever the
        body says of it; unknown fields are kept.
        """
        ...

    def decode(
        self, endpoint: Endpoint, response: WireResponse, target: Target, wish: Wish = NO_WISH
    ) -> Answer | Failure:
        """Read a whole response to a request whose `wish` was the given one. Never raises, whatever the bytes."""
        ...

    def open_stream(self, response: WireResponse, wish: Wish, target: Target) -> AnswerStream:
        """Begin to read a streamed success, whose body is still to come."""
        ...


_DIALECTS: Mapping[str, Callable[[], Dialect]] = {
    "anthropic": lambda: TranslatedDialect(AnthropicTranslation()),
    "azure": AzureDialect,
    "bedrock": lambda: TranslatedDialect(BedrockTranslation()),
    "cohere": lambda: TranslatedDialect(CohereTranslation()),
    "gemini": lambda: TranslatedDialect(GeminiTranslation()),
    "ollama": lambda: TranslatedDialect(OllamaTranslation()),
    "openai": OpenAIDialect,
    "vertex": lambda: TranslatedDialect(VertexTranslation()),
}
"""One line a dialect, in order of its name."""


def dialect_names() -> tuple[str, ...]:
    """Return the names that `dialect` takes."""
    return tuple(_DIALECTS)


def dialect(name: str) -> Dialect:
    """Return a dialect by the name that catalogue rows use. Raises ValueError for an unknown one."""
    if name not in _DIALECTS:
        raise ValueError(f"unknown dialect {name!r}; known: {', '.join(_DIALECTS)}")
    return _DIALECTS[name]()
