"""A translation: what one dialect that is not OpenAI's has to say for itself. The rest is `TranslatedDialect`'s.

Answers are translated into OpenAI's shape as plain dictionaries and then read, checked and mended by the same code that
reads OpenAI-compatible servers; a translation leaves out what it does not know (`id`, `created`) rather than invent it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from providers.chat.embeddings import EmbeddingsRequest
from providers.chat.request import ChatRequest
from providers.completion import Endpoint, Target
from providers.dialects.error_body import ErrorBody
from providers.dialects.headers import Headers
from providers.dialects.sse import Event
from providers.dialects.wire import WireResponse
from providers.failure import Failure


@dataclass(frozen=True, slots=True)
class Draft:
    """A request as the provider wants it."""

    url: str
    """Absolute, without credentials."""
    body: Mapping[str, Any] = field(repr=False)
    """The JSON object to send."""
    headers: Headers = ()
    """The dialect's own beside the usual ones, names in lower case."""
    json_tool: str | None = None
    """Name of a tool that stands for the wished-for JSON (`providers.dialects.json_tool`); its input is the answer."""


class Frames(Protocol):
    """Cuts the bytes of a streamed body into events. However they are cut, the events are the same; nothing raises."""

    @property
    def pending_bytes(self) -> int:
        """What is held of an event that is not complete."""
        ...

    def feed(self, piece: bytes) -> list[Event]:
        """Return the events that this piece completes. A damaged frame is an event named `FRAME_ERROR`."""
        ...

    def finish(self) -> list[Event]:
        """Return the events that the end of the body completes."""
        ...


class StreamEnd:
    """What a reader returns for the event after which nothing more comes."""


END = StreamEnd()
FRAME_ERROR = b"laneway-frame-error"
"""Name of the event that stands for a frame that cannot be read."""


class EventReader(Protocol):
    """Translates the events of one stream, in order, into chunks of OpenAI's shape."""

    def read(self, event: Event) -> Sequence[dict[str, Any]] | ErrorBody | StreamEnd | None:
        """Return the chunks that an event amounts to (without `object`), none for one that says nothing.

        An `ErrorBody` says that the provider gave up, END that the stream is complete, None that the event is not
        of this dialect at all, which ends the stream as unusable.
        """
        ...


class Translation(Protocol):
    """One dialect. No I/O, no clock, no state; safe to share."""

    def chat(self, request: ChatRequest, target: Target, *, stream: bool) -> Draft:
        """Translate a chat request, taking from its `params` what the provider knows. Raises Unservable."""
        ...

    def embeddings(self, request: EmbeddingsRequest, target: Target) -> Draft:
        """Translate an embeddings request. Raises Unservable, also where the provider has no embeddings."""
        ...

    def answer(self, endpoint: Endpoint, data: Any, response: WireResponse, target: Target) -> dict[str, Any] | Failure:
        """Translate the parsed body of a success that holds no error. Raises KeyError, TypeError, ValueError,
        AttributeError or IndexError for a body that is not of this dialect: it is reported as unusable."""
        ...

    def error(self, data: Any, response: WireResponse) -> ErrorBody | None:
        """Find an error in the parsed body (None where it is no JSON) of a refusal or a success; None without one."""
        ...

    def frames(self) -> Frames:
        """Return what cuts the body of one stream."""
        ...

    def reader(self, response: WireResponse, target: Target) -> EventReader:
        """Return what translates the events of one stream."""
        ...
