"""The pulse: whether Redis answered when last asked, so that a call that needs it is refused before it begins."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

_EVERY_S = 0.5
_log = logging.getLogger(__name__)


class Pulse:
    """Asks twice a second; `up` is what it found."""

    def __init__(self, ping: Callable[[], Awaitable[bool]]) -> None:
        self._ping = ping
        self.up = True

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            up = await self._ping()
            if up != self.up:
                _log.warning("Redis is %s", "back" if up else "away: waiting callers are refused, jobs are still taken")
            self.up = up
            await asyncio.sleep(_EVERY_S)
