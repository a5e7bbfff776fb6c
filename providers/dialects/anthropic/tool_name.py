"""The names and ids of tools: what the Messages API lets them consist of."""

import hashlib
import re

from providers.chat.unservable import unsupported

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ID = re.compile(r"[a-zA-Z0-9_-]+")


def checked_name(name: str, place: str) -> str:
    """Return a tool's name. Raises Unservable for one that the API does not take."""
    if not _NAME.fullmatch(name):
        what = f"the tool name {name[:40]!r}: use up to 128 letters, digits, underscores and hyphens"
        raise unsupported(what, place)
    return name


def fitting_id(call_id: str) -> str:
    """Return a call's id, or another that stands for it where other providers' signs do not fit; always the same."""
    if _ID.fullmatch(call_id):
        return call_id
    return "toolu_" + hashlib.blake2b(call_id.encode("utf-8", "replace"), digest_size=12).hexdigest()
