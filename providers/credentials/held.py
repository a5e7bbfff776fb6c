"""A held credential: made once, shared by all calls, renewed before it ends.

Making one takes seconds and a network. However many calls want it, one making is under way at a time; while the old
one is still good, calls go on with it. A making that fails is reported to whoever waited for it, and the next call
tries again; as long as the old one is good, only after a rest.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from providers.failure import Failure

REST_S = 10
"""How long after a renewal that failed the next one begins, while the old credential is still good."""

Secret = TypeVar("Secret")


@dataclass(frozen=True, slots=True)
class Fresh(Generic[Secret]):
    """A credential as it was made."""

    secret: Secret = field(repr=False)
    renew_at_s: float
    """Unix time from which a new one is made beside the calls; never after the end."""
    ends_at_s: float
    """Unix time from which it is not sent any more."""


Make = Callable[[], Awaitable[Fresh[Secret] | Failure]]


class Held(Generic[Secret]):
    """Holds one credential. Use it on one event loop only."""

    def __init__(self, make: Make[Secret], now_s: Callable[[], float]) -> None:
        self._make = make
        self._now_s = now_s
        self._fresh: Fresh[Secret] | None = None
        self._making: asyncio.Task[Fresh[Secret] | Failure] | None = None
        self._rests_until_s = 0.0

    async def get(self) -> Secret | Failure:
        """Return the credential, made or renewed where that is due, or why there is none."""
        now_s, fresh = self._now_s(), self._fresh
        if fresh is not None and now_s < fresh.ends_at_s:
            if now_s >= max(fresh.renew_at_s, self._rests_until_s):
                self._begin()
            return fresh.secret
        made = await asyncio.shield(self._begin())  # who gives up waiting does not end it for the others
        return made if isinstance(made, Failure) else made.secret

    def _begin(self) -> asyncio.Task[Fresh[Secret] | Failure]:
        if self._making is None:
            self._making = asyncio.ensure_future(self._renew())
        return self._making

    async def _renew(self) -> Fresh[Secret] | Failure:
        try:
            made = await self._make()
            if isinstance(made, Failure):
                self._rests_until_s = self._now_s() + REST_S
            else:
                self._fresh = made
            return made
        finally:
            self._making = None
