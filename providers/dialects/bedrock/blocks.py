"""Content blocks: the parts of a message as Converse writes them, media in base64 inside the JSON or from S3."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from providers.chat.parts import Audio, Document, Image, Inline, Link, Part, Text, Uploaded
from providers.chat.unservable import unsupported
from providers.completion import Target
from providers.dialects.bucket_links import check_bucket_links

Block = dict[str, Any]

_S3 = "s3://"
_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
# fmt: off
_AUDIO = frozenset({
    "aac", "flac", "m4a", "mka", "mkv", "mp3", "mp4", "mpeg", "mpga", "ogg", "opus", "pcm", "wav", "webm", "x-aac",
})
# fmt: on
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9()\[\]-]+")
_MAX_NAME_CHARS = 190
_CACHE_TTLS = ("5m", "1h")


class BlockWriter:
    """Writes the blocks of one request; it remembers the names of documents, as no two may share one."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._names: dict[str, int] = {}
        """Every name that is taken -> the number that was last put behind it."""

    def blocks(self, parts: Iterable[Part], place: str) -> list[Block]:
        """Write parts in order, each cache mark as a block of its own behind. Blank texts are left out.

        `place` names the message's content. Raises Unservable for what cannot be sent.
        """
        written: list[Block] = []
        for part in parts:
            if isinstance(part, Text) and not part.text.strip():
                continue
            written.append(self._block(part, place))
            if not isinstance(part, Audio):
                written += cache_point(part.cache_control)
        return written

    def _block(self, part: Part, place: str) -> Block:
        match part:
            case Text():
                return {"text": part.text}
            case Image():
                return {"image": _image(part.source, place, self._target)}
            case Document():
                return {"document": self._document(part, place)}
            case Audio():
                if part.format not in _AUDIO:
                    raise unsupported(f"audio of format {part.format[:20]!r}", place)
                return {"audio": {"format": part.format, "source": {"bytes": part.source.data}}}

    def _document(self, document: Document, place: str) -> Block:
        if isinstance(document.source, Uploaded):
            raise unsupported("a file by its id: send its bytes as file_data", place)
        form = _DOCUMENTS.get((document.source.media_type or "").partition(";")[0])
        if form is None:
            raise unsupported("a document of this type", place)
        return {
            "format": form,
            "name": self._name(document.filename or "document"),
            "source": _source(document.source, place, self._target),
        }

    def _name(self, filename: str) -> str:
        """Return a name in the characters that are taken, no other document's; the ending is told by the format."""
        stem = filename.rpartition(".")[0] or filename
        name = _NOT_IN_NAMES.sub(" ", stem).strip()[:_MAX_NAME_CHARS].strip() or "document"
        number, found = self._names.get(name, 0), name
        while found in self._names:
            number += 1
            found = f"{name} {number + 1}"
        self._names[name] = number
        self._names.setdefault(found, 0)
        return found


def cache_point(mark: Mapping[str, Any] | None) -> list[Block]:
    """Return the block that stands for a caller's `cache_control`, none without one."""
    if mark is None:
        return []
    ttl = mark.get("ttl")
    return [{"cachePoint": {"type": "default", **({"ttl": ttl} if ttl in _CACHE_TTLS else {})}}]


def _image(source: Inline | Link, place: str, target: Target) -> Block:
    written = _source(source, place, target)
    form = _IMAGES.get((source.media_type or "").partition(";")[0])
    if form is None:
        raise unsupported("an image that is not PNG, JPEG, GIF or WebP", place)
    return {"format": form, "source": written}


def _source(source: Inline | Link, place: str, target: Target) -> Block:
    if isinstance(source, Inline):
        return {"bytes": source.data}
    if source.url.startswith(_S3):
        check_bucket_links(target, place)
        return {"s3Location": {"uri": source.url}}
    raise unsupported("a link: send the bytes as a data URL, or an s3:// address", place)
