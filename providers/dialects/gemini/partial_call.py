"""A tool call whose arguments come in pieces: each names a place in them by a JSON path and says what stands there.

Some servers send every streamed call so. A text may come in several pieces, marked with `willContinue`; the empty last
one only says that it is whole. The call ends with a piece without that mark, or with whatever comes after it.
"""

import re
from itertools import pairwise
from typing import Any

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,6})\]|\['((?:[^'\\]|\\.)*)'\]|\[\"((?:[^\"\\]|\\.)*)\"\]")
_ESCAPED = re.compile(r"\\(.)")
_VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")


class PartialCall:
    """Puts the arguments of one call together."""

    def __init__(self, call: dict[str, Any], signature: str | None) -> None:
        """Begin with the piece that names the function."""
        self.name = call["name"]
        self.id = call.get("id")
        self.signature = signature
        self.input: dict[str, Any] = {}
        self._open: str | None = None
        self.add(call)

    def add(self, call: dict[str, Any]) -> None:
        """Take a piece. Raises ValueError, TypeError or IndexError for one that fits nowhere."""
        if type(call.get("args")) is dict:
            self.input |= call["args"]
        for piece in call.get("partialArgs") or ():
            self._put(piece)

    def _put(self, piece: dict[str, Any]) -> None:
        path = piece["jsonPath"]
        name = next((name for name in _VALUES if name in piece), None)
        value = None if name in (None, "nullValue") else piece[name]
        way = steps(path)
        last = way[-1]
        place: Any = self.input
        for step, following in pairwise(way):
            place = _enter(place, step, [] if type(following) is int else {})
        old = _at(place, last)
        goes_on = path == self._open and type(old) is str and type(value) is str
        _set(place, last, old + value if goes_on else value)
        self._open = path if piece.get("willContinue") else None


def steps(path: str) -> list[str | int]:
    """Read a path such as `$.items[0].name`. Raises ValueError for one that is not of this kind."""
    found: list[str | int] = []
    at = 1
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            break
        name, index, *quoted = step.groups()
        if index is not None:
            found.append(int(index))
        else:
            found.append(
                name if name is not None else _ESCAPED.sub(r"\1", next(text for text in quoted if text is not None))
            )
        at = step.end()
    if not path.startswith("$") or at < len(path) or not found:
        raise ValueError("not a path to a place in the arguments")
    return found


def _enter(place: Any, step: str | int, new: Any) -> Any:
    """Return what stands at a step, made on the way where nothing stands there yet."""
    if _at(place, step) is None:
        _set(place, step, new)
    return place[step]


def _at(place: Any, step: str | int) -> Any:
    if type(place) is dict and type(step) is str:
        return place.get(step)
    if type(place) is list and type(step) is int:
        return place[step] if step < len(place) else None
    raise TypeError("a path leads through what is neither an object nor a list")


def _set(place: Any, step: Any, value: Any) -> None:
    """Put a value; lists grow by one at a time, so that no path can make a large one."""
    if type(place) is list and step == len(place):
        place.append(value)
    else:
        place[step] = value
