"""The bounds of a request: how much it holds and the most that it may be answered with, from its body alone. Pure.

The body is parsed whole: a search for `"max_tokens"` in its bytes would also find one inside a tool's arguments or the
metadata, and takes longer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from providers.chat.prompt import prompt_count

_OUTPUT_BOUNDS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_MOST_BOUND_TOKENS = 999_999_999
_MOST_CHOICES = 128
_MULTIPLIERS = ("n", "best_of", "prompt")


@dataclass(frozen=True, slots=True)
class Density:
    """How input becomes tokens where nobody has counted them."""

    bytes_per_token: int
    """Of everything but images and sound."""
    tokens_per_image: int
    """However it is given."""
    audio_bytes_per_token: int
    """Of its base64."""


GENEROUS = Density(bytes_per_token=3, tokens_per_image=5_000, audio_bytes_per_token=64)
"""More than it will be: few scripts take less than 3 bytes a token, few vendors count an image for more than 5,000, and
64 bytes are poor sound (16 kbit/s) counted dearly (32 tokens a second)."""
LIKELY = Density(bytes_per_token=4, tokens_per_image=1_000, audio_bytes_per_token=512)
"""About what it will be: English text, one image of about a megapixel, sound of 64 kbit/s at 20 tokens a second."""


class RequestBounds(NamedTuple):
    """What one request holds, and the most that it allows."""

    text_bytes: int
    """All of the body but its images and its sound."""
    images: int
    audio_bytes: int
    output_tokens: int | None
    """For one answer, as the request says; None where it does not."""
    choices: int = 1
    """How many answers it asks for (`n`), over all its prompts."""

    def input_tokens(self, density: Density) -> int:
        """About how many tokens it holds, at least 1; rounded up."""
        audio_tokens = -(-self.audio_bytes // density.audio_bytes_per_token)
        text_tokens = -(-self.text_bytes // density.bytes_per_token)
        return max(text_tokens + self.images * density.tokens_per_image + audio_tokens, 1)


def bounds_of(fields: Mapping[str, Any], body: bytes) -> RequestBounds:
    """Read the bounds of a request body from its fields and its bytes."""
    images, audio_bytes, media_bytes = 0, 0, 0
    if b'"image' in body or b'"input_audio"' in body:
        for is_image, size_bytes in _media(fields):
            images += is_image
            audio_bytes += 0 if is_image else size_bytes
            media_bytes += size_bytes
    text_bytes = max(len(body) - media_bytes, 0)
    return RequestBounds(text_bytes, images, audio_bytes, output_bound(fields), _choices(fields))


def allowed_tokens(body: bytes) -> int | None:
    """The most output that a request allows in one answer; None where it does not say."""
    return output_bound(_fields(body))


def _fields(body: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def output_bound(fields: Mapping[str, Any]) -> int | None:
    """The most output that these fields of a request allow in one answer; None where they do not say.

    It is the highest of those that are given: which one a provider goes by is its own matter.
    """
    if fields.keys().isdisjoint(_OUTPUT_BOUNDS):
        return None
    given = (_within(fields.get(name), 0, _MOST_BOUND_TOKENS) for name in _OUTPUT_BOUNDS)
    return max((bound for bound in given if bound is not None), default=None)


def _choices(fields: Mapping[str, Any]) -> int:
    """A text completion has so many for each of its prompts, and may have more written than it returns."""
    if fields.keys().isdisjoint(_MULTIPLIERS):
        return 1
    each = max(_within(fields.get(name), 1, _MOST_CHOICES) or 1 for name in ("n", "best_of"))
    return each * prompt_count(fields.get("prompt"))


def _within(value: object, least: int, most: int) -> int | None:
    """The same where it is a whole number (true is none) from the least to the most; else None."""
    return value if type(value) is int and least <= value <= most else None


def _media(fields: Mapping[str, Any]) -> Iterator[tuple[bool, int]]:
    """Yield every image and every sound among the parts of the messages: whether it is an image, and its size.

    Text that merely looks like one stays text.
    """
    for message in _list(fields.get("messages")) + _list(fields.get("input")):
        for part in _parts(message):
            match part:
                case {"type": "image", "source": {"data": str(url)} | {"url": str(url)}}:
                    yield True, len(url)
                case {"type": "image_url" | "input_image", "image_url": {"url": str(url)} | str(url)}:
                    yield True, len(url)
                case {"type": "input_audio", "input_audio": {"data": str(data)}}:
                    yield False, len(data)


def _parts(message: Any) -> Iterator[Any]:
    """Yield the parts of a message, and those within the results of tools, which Anthropic's clients put into parts."""
    for part in _list(message.get("content") if isinstance(message, dict) else None):
        if isinstance(part, dict) and part.get("type") == "tool_result":
            yield from _list(part.get("content"))
        else:
            yield part


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
