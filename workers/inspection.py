"""The inspection of a batch's whole input file, before any of its lines is written anywhere.

Custom ids are remembered as hashes of 8 bytes, so a million lines take 8 MB; where hashes repeat, the file is read
once more to tell true repeats from chance.
"""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from workers.lines import InputError, Request, parse_line

MOST_ERRORS = 100


@dataclass(slots=True)
class Inspection:
    """The check of a whole file: counts, models, errors, and the custom ids seen (8 bytes each)."""

    endpoint: str
    unknown_model: Callable[[str], str | None]
    """Returns None for a model that has a route, else a message naming the nearest."""
    total: int = 0
    models: dict[str, str | None] = field(default_factory=dict)
    """Every model name seen, with the message where it has no route."""
    errors: list[InputError] = field(default_factory=list)
    ids: "array[int]" = field(default_factory=lambda: array("q"))

    @property
    def is_full(self) -> bool:
        """Whether so many errors were found that reading on is no use."""
        return len(self.errors) >= MOST_ERRORS

    def add(self, lines: list[tuple[int, bytes]]) -> None:
        """Check some lines."""
        for number, line in lines:
            parsed = parse_line(number, line, self.endpoint)
            if parsed is None or self.is_full:
                continue
            self.total += 1
            if isinstance(parsed, InputError):
                self.errors.append(parsed)
            else:
                self._add(parsed)

    def _add(self, request: Request) -> None:
        self.ids.append(hash(request.custom_id))
        if request.model not in self.models:
            self.models[request.model] = self.unknown_model(request.model)
        message = self.models[request.model]
        if message is not None:
            self.errors.append(InputError("model_not_found", request.line, message, "body.model"))

    def repeated_hashes(self) -> set[int]:
        """Hashes of custom ids that occur more than once; equal hashes need not be equal ids."""
        ordered = sorted(self.ids)
        return {a for a, b in pairwise(ordered) if a == b}


def repeats(lines: list[tuple[int, bytes]], endpoint: str, hashes: set[int], seen: dict[str, int]) -> list[InputError]:
    """List an error for every repeat of a custom id; `seen` remembers the first line of each candidate."""
    found = []
    for number, line in lines:
        parsed = parse_line(number, line, endpoint)
        if not isinstance(parsed, Request) or hash(parsed.custom_id) not in hashes:
            continue
        if parsed.custom_id in seen:
            message = f"custom_id {parsed.custom_id[:100]!r} was already used in line {seen[parsed.custom_id]}."
            found.append(InputError("duplicate_custom_id", number, message, "custom_id"))
        else:
            seen[parsed.custom_id] = number
    return found
