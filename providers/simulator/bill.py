"""The bill: one row for every call the simulator served, whether or not its client heard the answer.

A row is packed into 52 bytes beside the bytes of its attempt id, so that a million calls need some 165 MB with the
set that finds repeated attempts.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import orjson

_ROW: Final = struct.Struct("<QQIHHHBIIqQB")
_NAMES_LIMIT: Final = 1_000


class Outcome(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    """A good answer was written to the connection."""
    CLIENT_LEFT = "client_left"
    """The client hung up first."""
    REFUSED = "refused"
    """Answered with an error; nothing was generated."""
    BROKEN = "broken"
    """Generated, then spoilt on purpose, or cut off by the simulator's stop."""


_OUTCOMES: Final = tuple(Outcome)


@dataclass(frozen=True, slots=True)
class Entry:
    """One call, finished."""

    number: int
    """Number of the call in this run, from 1, by arrival."""
    attempt: bytes | None
    """Value of the request header `x-laneway-attempt`."""
    model: str
    path: str
    started_at_ms: int
    ended_at_ms: int
    status: int
    """HTTP status sent, or that would have been; 0 if none was meant to be."""
    prompt_tokens: int
    completion_tokens: int
    cost_nanousd: int
    billed: bool
    """Generation was completed: the worst case for a client that did not get the answer."""
    outcome: Outcome


class Bill:
    """The rows of all finished calls, in the order in which they ended."""

    def __init__(self, run: str) -> None:
        """Start an empty bill; `run` tells this process's calls from those of another in one file."""
        self.run = run
        self.clear()

    def clear(self) -> None:
        """Forget every row."""
        self._rows = bytearray()
        self._attempts = bytearray()
        self._names: dict[str, int] = {}
        self._seen: set[int] = set()
        self.repeats = 0
        """Calls whose attempt id an earlier call had."""
        self.billed_calls = 0
        self.billed_nanousd = 0

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows) // _ROW.size

    @property
    def distinct_attempts(self) -> int:
        """The number of different attempt ids seen on finished calls."""
        return len(self._seen)

    def add(self, entry: Entry) -> None:
        """Append a row."""
        attempt = (entry.attempt or b"")[:255]
        if attempt:
            self._count_attempt(attempt)
        if entry.billed:
            self.billed_calls += 1
            self.billed_nanousd += entry.cost_nanousd
        flags = _OUTCOMES.index(entry.outcome) << 1 | entry.billed
        self._rows += _ROW.pack(
            entry.number,
            entry.started_at_ms,
            max(0, entry.ended_at_ms - entry.started_at_ms),
            self._name(entry.model),
            self._name(entry.path),
            entry.status,
            flags,
            entry.prompt_tokens,
            entry.completion_tokens,
            entry.cost_nanousd,
            len(self._attempts),
            len(attempt),
        )
        self._attempts += attempt

    def lines(self, first: int = 0, last: int | None = None) -> Iterator[bytes]:
        """Yield rows `first` to `last` (not included) as JSON lines."""
        names = list(self._names)
        for index in range(first, len(self) if last is None else min(last, len(self))):
            yield self._line(index, names)

    def _line(self, index: int, names: list[str]) -> bytes:
        number, started, lasted, model, path, status, flags, prompt, completion, cost, start, length = _ROW.unpack_from(
            self._rows, index * _ROW.size
        )
        attempt = self._attempts[start : start + length].decode("latin-1") if length else None
        row = {
            "call_id": f"{self.run}-{number}",
            "attempt": attempt,
            "model": names[model],
            "path": names[path],
            "started_at_ms": started,
            "ended_at_ms": started + lasted,
            "status": status,
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "cost_nanousd": cost,
            "billed": bool(flags & 1),
            "outcome": _OUTCOMES[flags >> 1],
        }
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)

    def _count_attempt(self, attempt: bytes) -> None:
        digest = hash(attempt)
        if digest in self._seen:
            self.repeats += 1
        else:
            self._seen.add(digest)

    def _name(self, name: str) -> int:
        index = self._names.get(name)
        if index is None:
            name = name if len(self._names) < _NAMES_LIMIT else "(other)"
            index = self._names.setdefault(name, len(self._names))
        return index
