"""The parts of a message: text, and media given in the request, by address or by a provider's own file id."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Inline:
    """Bytes given in the request itself."""

    media_type: str
    """Lower case, e.g. `image/png`."""
    data: str = field(repr=False)
    """Standard base64, as the caller wrote it; its alphabet is checked, its length a multiple of four."""


@dataclass(frozen=True, slots=True)
class Link:
    """An address that the provider is to fetch. Laneway itself never fetches it."""

    url: str = field(repr=False)
    media_type: str | None = None
    """Guessed from the address; None where it does not say."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that the caller uploaded to this provider before."""

    file_id: str


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text; may be empty."""

    text: str = field(repr=False)
    cache_control: Mapping[str, Any] | None = None
    """The caller's mark that the provider should cache the prompt up to here, as given; None without one."""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture to look at."""

    source: Inline | Link
    detail: str | None = None
    """`low`, `high` or `auto`; None where not given."""
    cache_control: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound to listen to."""

    source: Inline
    """Its media type is `audio/wav`, `audio/mpeg` and so on, from OpenAI's `format`."""
    format: str
    """OpenAI's word: `wav`, `mp3`."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file to read, most often a PDF."""

    source: Inline | Link | Uploaded
    filename: str | None = None
    cache_control: Mapping[str, Any] | None = None


Part = Text | Image | Audio | Document
