"""The events of streams as OpenAI and servers that follow it send them: each a chunk, an error or the end marker."""

from collections.abc import Sequence
from typing import Any

import orjson

from providers.completion import Target
from providers.dialects.error_body import read_error
from providers.dialects.event_stream import Chunk
from providers.dialects.json_depth import is_too_deep
from providers.dialects.refusals import refusal
from providers.dialects.sse import Event
from providers.dialects.translation import END, StreamEnd
from providers.dialects.unusable import unusable
from providers.dialects.wire import WireResponse
from providers.failure import Failure

DONE = b"[DONE]"


class OpenAIEvents:
    """Reads one stream; chunks keep the bytes that came."""

    def __init__(self, response: WireResponse, target: Target) -> None:
        self._response = response
        self._target = target

    def read(self, event: Event) -> Sequence[Chunk] | Failure | StreamEnd:
        """Read one event. See `ChunkReader.read`."""
        if event.data.startswith(DONE):
            return END
        raw = event.data.strip()
        if not raw:
            return ()
        try:
            data: Any = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return self._unusable("has an event that is not JSON")
        error = read_error(data, refused=event.name == b"error")
        if error is not None:
            return refusal(self._response, error, self._target)
        if type(data) is not dict:
            return self._unusable("has an event that is not a JSON object")
        if is_too_deep(raw, data):
            return self._unusable("is nested too deeply")
        return ((data, raw),)

    def _unusable(self, fault: str) -> Failure:
        return unusable(self._response, self._target, fault)
