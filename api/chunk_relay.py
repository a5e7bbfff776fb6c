"""The chunk relay: which bytes of an event stream each reply of a worker becomes. No I/O, no clock.

The chunks come numbered. One that is missing cannot be made up for, so the stream breaks with an error event, unless
nothing was passed on yet: then the whole answer, once it is there, is told as a stream of its own.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

import orjson

from api.errors import ApiError
from api.replay import chunk_frame, frames_of, usage_frame
from api.verdict import bodies_gone, error_object, refusal_of
from router.lifecycle import JobState
from store.endings import Ending
from store.replies import Reply

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
_USAGE = b'"usage"'


class ChunkRelay:
    """Turns the replies of one job into the bytes of its stream."""

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._n = 0
        self._next = 0
        self._lost = False
        self._usage: Mapping[str, Any] | None = None  # a chunk that carries it, not shown yet
        self._usage_shown = False
        self._last: deque[bytes] = deque(maxlen=2)
        self.begun = False
        """Whether anything of the answer was passed on."""

    def event(self, reply: Reply) -> bytes:
        """Pass one chunk on; empty where it is not for the caller. Raises ApiError when the stream is broken."""
        if reply.n < self._n or (reply.n == self._n and reply.seq < self._next):
            return b""  # of an attempt that was given up, or a repetition
        if reply.n > self._n:
            if self.begun:
                raise broken("the call was cut and is not continued")
            self._n, self._next, self._lost = reply.n, 0, False
        if reply.seq != self._next and not self._lost:
            if self.begun:
                raise broken("a part of the answer was lost on its way")
            self._lost = True
        if self._lost or reply.body is None:
            return b""
        self._next += 1
        self._last.append(reply.body)
        return self._frame(reply.body)

    def may_end(self, told: Reply | None) -> bool:
        """Whether an end can be told now; an end that SQL alone knows of may be ahead of its last chunks."""
        return told is not None or not self.begun or self._seems_complete()

    def end(self, ending: Ending, told: Reply | None) -> bytes:
        """Close the stream. Raises ApiError for a job without an answer and for a stream that lacks a part of it."""
        if ending.state is not JobState.COMPLETED:
            raise refusal_of(ending)
        if not self.begun:
            if ending.body is None:
                raise bodies_gone(ending.job_id)
            return frames_of(ending.body, include_usage=self._include_usage) + DONE
        complete = self._seems_complete() if told is None else (told.n, told.seq) == (self._n, self._next)
        if not complete:
            raise broken("a part of the answer was lost on its way")
        return self._late_usage(ending) + DONE

    def _frame(self, chunk: bytes) -> bytes:
        if _USAGE in chunk:
            return self._usage_frame(chunk)
        self.begun = True
        if not self._include_usage:
            return b"data: " + chunk + b"\n\n"
        return b"data: " + chunk.rstrip()[:-1] + b',"usage":null}\n\n'

    def _usage_frame(self, chunk: bytes) -> bytes:
        """Show the usage in a chunk of its own at the end, or not at all."""
        value: dict[str, Any] = orjson.loads(chunk)
        usage = value.pop("usage", None)
        if usage is not None:
            self._usage = {**value, "usage": usage}
            if not value.get("choices"):
                self._usage_shown = self._include_usage
                return usage_frame(self._usage, usage) if self._include_usage else b""
        self.begun = True
        return chunk_frame({**value, "usage": None} if self._include_usage else value)

    def _late_usage(self, ending: Ending) -> bytes:
        """The usage that the caller asked for and that no chunk of its own brought."""
        if not self._include_usage or self._usage_shown:
            return b""
        if self._usage is not None:
            return usage_frame(self._usage, self._usage["usage"])
        whole: dict[str, Any] = orjson.loads(ending.body) if ending.body else {}
        return usage_frame(whole, whole["usage"]) if whole.get("usage") else b""

    def _seems_complete(self) -> bool:
        """Whether the last chunks are such as stand at the end of an answer."""
        for chunk in self._last:
            choices = orjson.loads(chunk).get("choices") or ()
            if any(choice.get("finish_reason") for choice in choices):
                return True
        return False


def broken(why: str) -> ApiError:
    """Say that a stream cannot go on."""
    message = f"The stream broke off: {why}. Send the request again."
    return ApiError(502, message, kind="server_error", code="stream_broken")


def error_frame(error: ApiError) -> bytes:
    """An error in the middle of a stream; nothing follows it."""
    return b"data: " + orjson.dumps(error_object(error)) + b"\n\n"
