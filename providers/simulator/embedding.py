"""The embedding: deterministic unit vectors for an embeddings request in OpenAI's terms."""

import base64
import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from providers.simulator.refusals import bad_request
from providers.simulator.tokens import Usage, text_tokens

_DIMENSIONS: Final = 256
_DIMENSIONS_LIMIT: Final = 4_096
_INPUTS_LIMIT: Final = 2_048


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """What the simulator reads of an embeddings request."""

    model: str
    inputs: Sequence[str | list[int]]
    """Texts, or texts as token numbers."""
    dimensions: int
    base64: bool
    """Whether vectors go out as little-endian 32-bit floats in base64 rather than as lists."""
    several: bool
    """Whether the input was a list."""

    @property
    def tokens(self) -> int:
        """Tokens of all inputs together."""
        return sum(text_tokens(one) if isinstance(one, str) else len(one) for one in self.inputs)


def read_embedding(body: dict[str, Any]) -> EmbeddingRequest:
    """Check a parsed request body; raises Refused (400) naming the field."""
    dimensions = body.get("dimensions")
    if dimensions is None:
        dimensions = _DIMENSIONS
    if not _is_whole(dimensions) or not 1 <= dimensions <= _DIMENSIONS_LIMIT:
        raise bad_request(f"'dimensions' must be a whole number from 1 to {_DIMENSIONS_LIMIT}.", "dimensions")
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise bad_request("'encoding_format' must be float or base64.", "encoding_format")
    inputs = body.get("input")
    return EmbeddingRequest(
        body["model"], _inputs(inputs), dimensions, base64=encoding == "base64", several=isinstance(inputs, list)
    )


def embed(request: EmbeddingRequest) -> tuple[dict[str, Any], Usage]:
    """Return OpenAI's list of embeddings with what it used."""
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(request, one)}
        for index, one in enumerate(request.inputs)
    ]
    usage = Usage(request.tokens)
    counts = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
    return {"object": "list", "data": data, "model": request.model, "usage": counts}, usage


def vector(text: str | list[int], dimensions: int) -> list[float]:
    """Return the unit vector of a text: a pure function of both arguments."""
    seed = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else orjson.dumps(text)
    raw = struct.unpack(f"<{dimensions}i", hashlib.shake_128(seed).digest(4 * dimensions))
    length = math.hypot(*raw) or 1.0
    return [value / length for value in raw]


def _encoded(request: EmbeddingRequest, text: str | list[int]) -> str | list[float]:
    values = vector(text, request.dimensions)
    if not request.base64:
        return values
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def _inputs(value: object) -> Sequence[str | list[int]]:
    if isinstance(value, str) and value:
        return [value]
    if isinstance(value, list) and value and all(_is_whole(one) for one in value):
        return [value]
    if isinstance(value, list) and 0 < len(value) <= _INPUTS_LIMIT and _is_texts(value):
        return value
    raise bad_request(f"'input' must be a text, a list of at most {_INPUTS_LIMIT} texts, or token numbers.", "input")


def _is_texts(values: list[Any]) -> bool:
    if all(isinstance(one, str) and one for one in values):
        return True
    return all(isinstance(one, list) and one and all(_is_whole(number) for number in one) for one in values)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
