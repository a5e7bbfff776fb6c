"""A file's name as its owner wrote it: metadata to show again, never a path."""

import re
from urllib.parse import quote

_MOST_CHARACTERS = 255
_NAMELESS = "upload"


def clean_filename(raw: bytes | None) -> str:
    """Keep the last part of the name, without control characters, at most 255 long; `upload` when nothing is left."""
    text = (raw or b"").decode("utf-8", "replace")
    last = re.split(r"[/\\]", text)[-1]
    shown = "".join(character for character in last if character.isprintable()).strip()
    if not shown.strip("."):
        return _NAMELESS
    return shown[:_MOST_CHARACTERS]


def content_disposition(filename: str) -> str:
    """Name a download (RFC 6266): in plain ASCII for old clients, and whole in UTF-8."""
    plain = re.sub(r"[^ !#-\[\]-~]|%(?=[0-9A-Fa-f]{2})", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
