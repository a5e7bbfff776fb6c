"""Reading the content of a message: a string, or a list of typed parts."""

import mimetypes
import re
from base64 import b64encode
from typing import Any
from urllib.parse import unquote_to_bytes

from providers.chat.parts import Audio, Document, Image, Inline, Link, Part, Text, Uploaded
from providers.chat.unservable import Unservable, unsupported

_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_TEXT_TYPES = frozenset({"text", "input_text", "output_text"})
_LINKS = ("http://", "https://", "gs://", "s3://")


def read_parts(content: Any, place: str) -> tuple[Part, ...]:
    """Read a message's content; nothing for null. Raises Unservable, naming the part."""
    if content is None:
        return ()
    if type(content) is str:
        return (Text(content),)
    if type(content) is not list:
        raise Unservable(f"{place} must be a string or a list of parts", place)
    return tuple(_read_part(part, f"{place}[{at}]") for at, part in enumerate(content))


def read_texts(content: Any, place: str) -> tuple[Text, ...]:
    """Read content that may hold nothing but text. Raises Unservable."""
    texts: list[Text] = []
    for at, part in enumerate(read_parts(content, place)):
        if not isinstance(part, Text):
            raise Unservable(f"{place}[{at}] must be text in a message of this role", f"{place}[{at}]")
        texts.append(part)
    return tuple(texts)


def _read_part(part: Any, place: str) -> Part:
    if type(part) is str:
        return Text(part)
    if type(part) is not dict:
        raise Unservable(f"{place} must be an object with a type", place)
    kind, mark = part.get("type"), part.get("cache_control")
    mark = mark if type(mark) is dict else None
    if kind in _TEXT_TYPES and type(text := part.get("text")) is str:
        return Text(text, mark)
    if kind == "refusal" and type(refusal := part.get("refusal")) is str:
        return Text(refusal)
    if kind in ("image_url", "input_image"):
        return _read_image(part.get("image_url"), mark, place)
    if kind == "input_audio":
        return _read_audio(part.get("input_audio"), place)
    if kind in ("file", "input_file"):
        return _read_file(part.get("file"), mark, place)
    if kind in _TEXT_TYPES or kind == "refusal":
        raise Unservable(f"{place} has no text", place)
    raise unsupported(f"a content part of type {str(kind)[:40]!r}", place)


def _read_image(image: Any, mark: dict[str, Any] | None, place: str) -> Image:
    image = {"url": image} if type(image) is str else image
    url = image.get("url") if type(image) is dict else None
    if type(url) is not str or not url:
        raise Unservable(f"{place} must have image_url.url", place)
    source = read_source(url, place)
    detail = image.get("detail")
    return Image(source, detail if type(detail) is str else None, mark)


def _read_audio(audio: Any, place: str) -> Audio:
    data, form = (audio.get("data"), audio.get("format")) if type(audio) is dict else (None, None)
    if type(data) is not str or type(form) is not str or not data:
        raise Unservable(f"{place} must have input_audio.data and input_audio.format", place)
    return Audio(Inline(_AUDIO_TYPES.get(form, f"audio/{form[:20]}"), checked_base64(data, place)), form)


def _read_file(file: Any, mark: dict[str, Any] | None, place: str) -> Document:
    if type(file) is not dict:
        raise Unservable(f"{place} must have file.file_data or file.file_id", place)
    data, file_id, name = file.get("file_data"), file.get("file_id"), file.get("filename")
    name = name if type(name) is str and name else None
    if type(data) is str and data:
        if not data.startswith(("data:", *_LINKS)):
            guessed = mimetypes.guess_type(name or "")[0] or "application/pdf"
            return Document(Inline(guessed, checked_base64(data, place)), name, mark)
        return Document(read_source(data, place), name, mark)
    if type(file_id) is str and file_id:
        return Document(Uploaded(file_id), name, mark)
    raise Unservable(f"{place} must have file.file_data or file.file_id", place)


def read_source(url: str, place: str) -> Inline | Link:
    """Read a data URL as its bytes, any other address as a link. Raises Unservable for an address of no known kind."""
    if not url.startswith("data:"):
        if not url.startswith(_LINKS):
            raise Unservable(f"{place} must be an https address or a data URL", place)
        return Link(url, mimetypes.guess_type(url.partition("?")[0])[0])
    head, comma, data = url[5:].partition(",")
    media_type, *marks = head.split(";")
    if not comma or not media_type:
        raise Unservable(f"{place} has a data URL without a media type", place)
    if "base64" in marks:
        return Inline(media_type.lower(), checked_base64(data, place))
    return Inline(media_type.lower(), b64encode(unquote_to_bytes(data)).decode())


def checked_base64(data: str, place: str) -> str:
    """Return base64 without line breaks and with its padding. Raises Unservable for what is not base64."""
    if not data.isascii() or not _BASE64.fullmatch(data):
        data = "".join(data.split()).replace("-", "+").replace("_", "/")
    if not _BASE64.fullmatch(data) or len(data.rstrip("=")) % 4 == 1:
        raise Unservable(f"{place} is not base64", place)
    bare = data.rstrip("=")
    return bare + "=" * (-len(bare) % 4)
