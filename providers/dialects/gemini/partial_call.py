"""A tool call whose arguments come in pieces: each names a place in them by a JSON path and says what stands there.

Some servers send every streamed call so. A text may come in several pieces, marked with `willContinue`; the empty last
one only says that it is whole. The call ends with a piece without that mark, or with whatever comes after it.
"""

import re
from dataclasses import dataclass
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
        self._input: dict[str, Any] = {}
        self._open: _OpenText | None = None
        self.add(call)

    @property
    def input(self) -> dict[str, Any]:
        """The arguments as far as they came."""
        self._close_text()
        return self._input

    def add(self, call: dict[str, Any]) -> None:
        """Take a piece. Raises ValueError, TypeError or IndexError for one that fits nowhere."""
        if type(call.get("args")) is dict:
            self._input |= call["args"]
        for piece in call.get("partialArgs") or ():
            self._put(piece)

    def _put(self, piece: dict[str, Any]) -> None:
        path, goes_on = piece["jsonPath"], bool(piece.get("willContinue"))
        name = next((name for name in _VALUES if name in piece), None)
        value = None if name in (None, "nullValue") else piece[name]
        if self._open is not None and self._open.path == path and type(value) is str:
            self._open.pieces.append(value)
        else:
            self._close_text()
            place, last = self._way_to(path)
            _set(place, last, value)
            self._open = _OpenText(path, place, last, [value]) if goes_on and type(value) is str else None
        if not goes_on:
            self._close_text()

    def _way_to(self, path: str) -> tuple[Any, str | int]:
        """Return the object or list at the end of a path, made on the way, and the last step into it."""
        way = steps(path)
        place: Any = self._input
        for step, following in pairwise(way):
            place = _enter(place, step, [] if type(following) is int else {})
        _at(place, way[-1])
        return place, way[-1]

    def _close_text(self) -> None:
        """Put a text that came in pieces into its place: once, as adding to it each time would cost its length."""
        if self._open is not None:
            _set(self._open.place, self._open.last, "".join(self._open.pieces))
            self._open = None


@dataclass(frozen=True, slots=True)
class _OpenText:
    """A text of which more pieces are to come."""

    path: str
    place: Any
    """The object or list that it stands in."""
    last: str | int
    pieces: list[str]


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
