"""The pulse: whether Redis answered when last asked, so that a call that needs it is refused before it begins."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

_EVERY_S = 0.5
_QUIET_S = 2.0
_log = logging.getLogger(__name__)


class Pulse:
    """Asks twice a second; every other second while Redis answers and nobody wants to know."""

    def __init__(self, ping: Callable[[], Awaitable[bool]]) -> None:
        self._ping = ping
        self._up = True
        self._is_wanted = False

    @property
    def up(self) -> bool:
        """What was found last."""
        self._is_wanted = True
        return self._up

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            up = await self._ping()
            if up != self._up:
                _log.warning("Redis is %s", "back" if up else "away: waiting callers are refused, jobs are still taken")
            self._up = up
            is_quiet = up and not self._is_wanted
            self._is_wanted = False
            await asyncio.sleep(_QUIET_S if is_quiet else _EVERY_S)
