"""An embeddings request as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.chat.params import Params
from providers.chat.unservable import Unservable, unsupported


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """Texts to turn into vectors."""

    texts: tuple[str, ...] = field(repr=False)
    """At least one, in the caller's order."""
    dimensions: int | None
    base64: bool
    """Whether the caller wants each vector as base64 of little-endian 32-bit floats."""
    params: Params
    """Every other field."""


def read_embeddings_request(body: Mapping[str, Any]) -> EmbeddingsRequest:
    """Read a request. Raises Unservable, naming the field."""
    texts = body.get("input")
    texts = [texts] if type(texts) is str else texts
    if type(texts) is not list or not texts:
        raise Unservable("input must be a string or a list of strings", "input")
    if any(type(text) in (int, list) for text in texts):
        raise unsupported("input given as tokens: send it as text", "input")
    if not all(type(text) is str for text in texts):
        raise Unservable("input must be a string or a list of strings", "input")
    params = Params({name: value for name, value in body.items() if name not in ("model", "input")})
    dimensions, wanted = params.integer("dimensions"), params.text("encoding_format")
    if wanted not in (None, "float", "base64"):
        raise Unservable("encoding_format must be float or base64", "encoding_format")
    return EmbeddingsRequest(tuple(texts), dimensions, wanted == "base64", params)
