"""A content block: one part of a message as the Messages API wants it."""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

from providers.chat.parts import Audio, Document, Image, Inline, Link, Part, Text, Uploaded
from providers.chat.unservable import Unservable, unsupported

Block = dict[str, Any]

_IMAGE_TYPES = {name: name for name in ("image/jpeg", "image/png", "image/gif", "image/webp")} | {
    "image/jpg": "image/jpeg"
}
_TEXT_APPLICATIONS = frozenset({"application/json", "application/xml", "application/yaml", "application/x-yaml"})
_FETCHED = ("http://", "https://")


def write_blocks(parts: Iterable[Part], place: str) -> list[Block]:
    """Write parts in order, leaving out blank texts: the API refuses them. Raises Unservable, naming the part."""
    return [
        _write_part(part, f"{place}[{at}]")
        for at, part in enumerate(parts)
        if not isinstance(part, Text) or part.text.strip()
    ]


def marked(block: Block, cache_control: Mapping[str, Any] | None) -> Block:
    """Add the caller's mark that the prompt should be cached up to here."""
    if cache_control is not None:
        block["cache_control"] = cache_control
    return block


def _write_part(part: Part, place: str) -> Block:
    match part:
        case Text():
            return marked({"type": "text", "text": part.text}, part.cache_control)
        case Image():
            return marked(_image(part.source, place), part.cache_control)
        case Document():
            return marked(_document(part, place), part.cache_control)
        case Audio():
            raise unsupported("audio input", place)


def _image(source: Inline | Link, place: str) -> Block:
    if isinstance(source, Link):
        return {"type": "image", "source": _link(source, place)}
    if source.media_type not in _IMAGE_TYPES:
        raise unsupported(f"an image of type {source.media_type[:40]!r}: use JPEG, PNG, GIF or WebP", place)
    media_type = _IMAGE_TYPES[source.media_type]
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": source.data}}


def _document(part: Document, place: str) -> Block:
    """Write a file; a picture that came as a file is looked at as a picture."""
    source = part.source
    if not isinstance(source, Uploaded) and (source.media_type or "").startswith("image/"):
        return _image(source, place)
    match source:
        case Uploaded():
            written: Block = {"type": "file", "file_id": source.file_id}
        case Link():
            written = _link(source, place)
        case Inline():
            written = _file(source, place)
    title = {"title": part.filename} if part.filename else {}
    return {"type": "document", "source": written, **title}


def _link(source: Link, place: str) -> Block:
    if not source.url.startswith(_FETCHED):
        raise unsupported("a file by an address that is not https", place)
    return {"type": "url", "url": source.url}


def _file(source: Inline, place: str) -> Block:
    media_type = source.media_type
    if media_type == "application/pdf":
        return {"type": "base64", "media_type": media_type, "data": source.data}
    if not media_type.startswith("text/") and media_type not in _TEXT_APPLICATIONS:
        raise unsupported(f"a file of type {media_type[:40]!r}: use PDF or text", place)
    try:
        text = b64decode(source.data).decode()
    except ValueError:
        raise Unservable(f"{place} is a text file that is not UTF-8", place) from None
    return {"type": "text", "media_type": "text/plain", "data": text}
