"""The names and ids of tools, as far as a provider lets them be anything."""

import hashlib
import re

from providers.chat.unservable import unsupported

_NAME = re.compile(r"[A-Za-z0-9_-]+")


def checked_name(name: str, place: str, *, most_chars: int) -> str:
    """Return a tool's name. Raises Unservable for one that the provider does not take."""
    if len(name) > most_chars or not _NAME.fullmatch(name):
        what = f"the tool name {name[:40]!r}: use up to {most_chars} letters, digits, underscores and hyphens"
        raise unsupported(what, place)
    return name


def fitting_id(call_id: str, fits: re.Pattern[str]) -> str:
    """Return a call's id, or another that stands for it where its signs or length do not fit; always the same."""
    if fits.fullmatch(call_id):
        return call_id
    return "call_" + hashlib.blake2b(call_id.encode("utf-8", "replace"), digest_size=12).hexdigest()
