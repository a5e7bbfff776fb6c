"""Streaming: a call whose chunks go somewhere while they arrive.

A stream may be tried again, or elsewhere, only as long as no chunk of it was sent: what comes later cannot be joined to
what the caller has. When nobody hears the chunks any more, the call is cut and its job is cancelled.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from providers.client import ProviderClient
from providers.completion import Answer, Endpoint, Target
from providers.failure import ErrorClass, Failure
from store.claim import ClaimedJob
from store.ids import answer_id
from store.replies import Replies, Reply, ReplyKind

_LOOK_S = 0.5
_QUIET_S = 2.0


class Sink(Protocol):
    """Where the chunks of one attempt go."""

    listener: bytes | None
    """The API process that they go to; None for a log, which needs nobody to hear it."""
    sent: int
    """How many chunks were sent."""

    async def begin(self) -> Failure | None:
        """Make ready, before anybody is called. Returns why there must be no call; then nothing is to be let go."""
        ...

    async def send(self, chunks: tuple[bytes, ...]) -> bool:
        """Take chunks; False when nobody is to have them any more."""
        ...

    async def end(self) -> None:
        """See to it that all chunks are where they belong, before the end of the call is told."""
        ...

    def close(self) -> None:
        """Let go, whatever happened; what is not where it belongs by then is lost."""
        ...


class Stream:
    """One streamed call of a job."""

    def __init__(self, job: ClaimedJob, target: Target, sink: Sink) -> None:
        self.is_unheard = False
        """Nobody hears the chunks any more."""
        self.first_ms: int | None = None
        """How long the first chunk took; None before it."""
        self._job = job
        self._target = target
        self._sink = sink

    @property
    def listener(self) -> bytes | None:
        """The API process that the chunks go to; None where they go to a log."""
        return self._sink.listener

    @property
    def sent(self) -> int:
        """How many chunks were sent."""
        return self._sink.sent

    async def run(self, client: ProviderClient, timeout_ms: int) -> Answer | Failure:
        """Make the call and relay its chunks. Cancelling it closes the provider's connection at once.

        Chunks that arrive together go out together; while they do, the next ones gather in the socket.
        """
        endpoint = Endpoint(self._job.endpoint)
        calling = client.stream(
            self._target,
            endpoint,
            self._job.body,
            attempt_id=f"{self._job.id.hex()}.{self._job.n}",
            timeout_ms=timeout_ms,
            answer_id=answer_id(endpoint, self._job.id),
        )
        began_s = time.monotonic()
        with contextlib.closing(self._sink):
            async with contextlib.aclosing(calling) as events:
                async for event in events:
                    if not isinstance(event, tuple):
                        await self._sink.end()
                        return event
                    if self.first_ms is None:
                        self.first_ms = int((time.monotonic() - began_s) * 1000)
                    if not await self._sink.send(event):
                        self.is_unheard = True
                        return unheard()
        raise RuntimeError("a stream ended without an outcome")


class Channel:
    """The sink of a job that somebody waits for: the channel of an API process. See `store.replies`."""

    def __init__(self, job: ClaimedJob, target: Target, listener: bytes, replies: Replies) -> None:
        self.listener: bytes | None = listener
        self.sent = 0
        self._to = listener
        self._job = job
        self._target = target
        self._replies = replies
        self._deaf = False

    async def begin(self) -> Failure | None:
        """See `Sink.begin`."""
        return None

    async def send(self, chunks: tuple[bytes, ...]) -> bool:
        """Send chunks on; False when nobody hears them.

        Once Redis could not be used the caller's stream has a gap that nothing can fill: nothing more is sent, and the
        answer is kept.
        """
        if self._deaf:
            return True
        first = Reply(ReplyKind.EVENT, self._job.id, self._job.n, seq=self.sent)
        if not self.sent:
            target, reason = self._target, self._job.moved_for or ""
            first = replace(first, provider=target.provider, model=target.model, reason=reason)
        self.sent += len(chunks)
        heard = await self._replies.send_events(self._to, first, chunks)
        self._deaf = heard is None
        return heard != 0

    async def end(self) -> None:
        """See `Sink.end`: what was sent is there, or lost."""

    def close(self) -> None:
        """See `Sink.close`: the channel is the process's."""


class StreamWatch:
    """Notices the API processes that died while their streams were silent."""

    def __init__(
        self, replies: Replies, listeners: Callable[[], frozenset[bytes]], cut: Callable[[bytes], None]
    ) -> None:
        """`listeners` names the processes that streams go to; `cut` is told which of them is gone."""
        self._replies = replies
        self._listeners = listeners
        self._cut = cut

    async def run(self) -> None:
        """Look every half second, while nothing is streamed every other second, until cancelled.

        Who is unheard twice in a row is gone: one may just be connecting again.
        """
        suspects: frozenset[bytes] = frozenset()
        while True:
            listeners = self._listeners()
            missing = await self._replies.unheard(listeners) if listeners else frozenset()
            for process in missing & suspects:
                self._cut(process)
            suspects = missing
            await asyncio.sleep(_LOOK_S if listeners else _QUIET_S)


def unheard() -> Failure:
    """Word the end of a job whose caller is gone."""
    return Failure(ErrorClass.CANCELLED, "The caller left before the stream was complete.", outcome_unknown=True)


def stopped() -> Failure:
    """Word the end of a stream that a stop cut off."""
    return Failure(ErrorClass.INTERNAL, "The worker was stopped in the middle of this stream.", outcome_unknown=True)
