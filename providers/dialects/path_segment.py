"""A segment of a path: a model's name inside an address, which it cannot leave."""

from urllib.parse import quote

from providers.chat.unservable import Unservable

_ELSEWHERE = frozenset({".", ".."})


def path_segment(model: str) -> str:
    """Return a name as one segment. Raises Unservable for the two names that mean another place."""
    if model in _ELSEWHERE:
        raise Unservable(f"{model!r} is no name of a model", "model")
    return quote(model, safe="")
