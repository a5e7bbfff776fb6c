"""The events of a translated stream: what a translation says of each, as chunks with their bytes or as a failure."""

from collections.abc import Sequence

import orjson

from providers.completion import Target
from providers.dialects.error_body import ErrorBody
from providers.dialects.event_stream import Chunk
from providers.dialects.json_tool import JsonToolStream
from providers.dialects.refusals import refusal
from providers.dialects.sse import Event
from providers.dialects.translation import FRAME_ERROR, EventReader, StreamEnd
from providers.dialects.unusable import unusable
from providers.dialects.wire import WireResponse, Wish
from providers.failure import Failure

CHUNK = "chat.completion.chunk"


class TranslatedEvents:
    """Reads one stream through its translation's reader."""

    def __init__(self, reader: EventReader, response: WireResponse, target: Target, wish: Wish) -> None:
        self._reader = reader
        self._response = response
        self._target = target
        self._json_tool = JsonToolStream(wish.json_tool) if wish.json_tool else None

    def read(self, event: Event) -> Sequence[Chunk] | Failure | StreamEnd:
        """Read one event. See `ChunkReader.read`."""
        if event.name == FRAME_ERROR:
            return self._unusable("has a frame that cannot be read")
        try:
            found = self._reader.read(event)
            if isinstance(found, StreamEnd):
                return found
            if isinstance(found, ErrorBody):
                return refusal(self._response, found, self._target)
            if found is None:
                return self._unusable("has an event that is not of its dialect")
            if self._json_tool is not None:
                self._json_tool.unwrap(found)
            return tuple((chunk, orjson.dumps(chunk)) for chunk in ({"object": CHUNK, **data} for data in found))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            return self._unusable("has an event that is not of its dialect's shape")

    def _unusable(self, fault: str) -> Failure:
        return unusable(self._response, self._target, fault)
