"""The names and ids of tools: what Converse lets them consist of."""

import hashlib
import re

from providers.chat.unservable import unsupported

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def checked_name(name: str, place: str) -> str:
    """Return a tool's name. Raises Unservable for one that the provider does not take."""
    if not _NAME.fullmatch(name):
        what = f"the tool name {name[:40]!r}: use up to 64 letters, digits, underscores and hyphens"
        raise unsupported(what, place)
    return name


def fitting_id(call_id: str) -> str:
    """Return a call's id, or another that stands for it where its signs or length do not fit; always the same."""
    if _ID.fullmatch(call_id):
        return call_id
    return "call_" + hashlib.blake2b(call_id.encode("utf-8", "replace"), digest_size=12).hexdigest()
