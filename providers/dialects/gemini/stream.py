"""A stream of streamGenerateContent: every event is a whole answer that holds only what is new."""

from typing import Any

from providers.completion import Target
from providers.dialects.body import parsed
from providers.dialects.error_body import ErrorBody
from providers.dialects.gemini.candidate import Candidate
from providers.dialects.gemini.refusal import read_refusal
from providers.dialects.gemini.response import head
from providers.dialects.gemini.usage import read_usage
from providers.dialects.sse import Event


class GeminiEvents:
    """Reads the events of one stream; see `EventReader`."""

    def __init__(self, target: Target) -> None:
        self._most_bytes = target.max_response_bytes
        self._candidates: dict[int, Candidate] = {}
        self._unsent_bytes = 0

    def read(self, event: Event) -> list[dict[str, Any]] | ErrorBody | None:
        """Return an event's chunks: one with its choices, one with usage where that can be the last word on it."""
        data = parsed(event.data)
        if (refusal := read_refusal(data, refused=False)) is not None:
            return refusal
        if type(data) is not dict or self._is_too_much(event):
            return None
        beside = head(data)
        choices = [
            choice
            for place, item in enumerate(data.get("candidates") or ())
            if (choice := self._read_choice(item, item.get("index", place))) is not None
        ]
        chunks = [{**beside, "choices": choices}] if choices else []
        if (usage := read_usage(data.get("usageMetadata"))) and self._ends():
            chunks.append({**beside, "choices": [], "usage": usage})
        return chunks

    def _read_choice(self, item: dict[str, Any], index: int) -> dict[str, Any] | None:
        read = self._candidates.setdefault(index, Candidate()).read(item)
        return None if read is None else {"index": index, **read}

    def _ends(self) -> bool:
        return any(candidate.has_ended for candidate in self._candidates.values())

    def _is_too_much(self, event: Event) -> bool:
        """Tell whether the calls that are being put together pass the bound of a whole answer."""
        if any(candidate.is_mid_call for candidate in self._candidates.values()):
            self._unsent_bytes += len(event.data)
        return self._unsent_bytes > self._most_bytes
