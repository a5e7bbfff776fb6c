"""An embeddings answer: vectors pass as they came, as lists of numbers or as base64; gaps around them are filled."""

import struct
from base64 import b64encode
from typing import Any

import orjson

from providers.completion import Answer, Target, Usage
from providers.dialects.request_id import request_id
from providers.dialects.unusable import unusable
from providers.dialects.usage import read_usage, reported_cost_nanousd
from providers.dialects.wire import WireResponse
from providers.failure import Failure

_COUNTS = ("prompt_tokens", "total_tokens")


def read_embeddings(data: Any, response: WireResponse, target: Target, *, base64: bool = False) -> Answer | Failure:
    """Return the answer in a parsed body that holds no error, or the failure that it amounts to.

    Each vector must be a non-empty string or list; the numbers in a list are not looked at one by one, unless they
    are to be packed: `base64` asks for the little-endian 32-bit floats of each vector as a string.
    """
    items = data.get("data") if type(data) is dict else None
    if type(items) is not list or not items:
        return unusable(response, target, "has no embeddings")
    if not all(_has_vector(item) for item in items):
        return unusable(response, target, "has an entry without an embedding")
    model, usage, cost = data.get("model"), read_usage(data.get("usage")), reported_cost_nanousd(data.get("usage"))
    body = response.body
    if base64 and not _pack(data["data"]):
        return unusable(response, target, "has an embedding that is not a list of numbers")
    if base64 or not _is_plain(data) or body[:1] != b"{":
        _mend(data, usage, target)
        body = orjson.dumps(data)
    return Answer(
        body=body,
        model=model if type(model) is str and model else None,
        usage=usage,
        provider_request_id=request_id(response.headers),
        reported_cost_nanousd=cost,
    )


def _has_vector(item: Any) -> bool:
    vector = item.get("embedding") if type(item) is dict else None
    return type(vector) in (list, str) and bool(vector)


def _pack(items: list[Any]) -> bool:
    """Write lists of numbers as base64, in place; False where one holds something else."""
    try:
        for item in items:
            if type(vector := item["embedding"]) is list:
                item["embedding"] = b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except (struct.error, OverflowError):
        return False
    return True


def _is_plain(data: dict[str, Any]) -> bool:
    usage = data.get("usage")
    return (
        data.get("object") == "list"
        and type(model := data.get("model")) is str
        and model != ""
        and type(usage) is dict
        and all(type(count := usage.get(name)) is int and 0 <= count <= 10**9 for name in _COUNTS)
        and all(item.get("object") == "embedding" and type(item.get("index")) is int for item in data["data"])
    )


def _mend(data: dict[str, Any], usage: Usage | None, target: Target) -> None:
    """Fill in the envelope. Clients' types demand usage: where none is credible the body says 0, the answer None."""
    data["object"] = "list"
    if type(data.get("model")) is not str or not data["model"]:
        data["model"] = target.model
    reported = data["usage"] if type(data.get("usage")) is dict else {}
    prompt_tokens = usage.prompt_tokens if usage else 0
    data["usage"] = {**reported, "prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}
    for position, item in enumerate(data["data"]):
        item["object"] = "embedding"
        if type(item.get("index")) is not int:
            item["index"] = position
