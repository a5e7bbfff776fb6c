"""The guess log: tells the audit log which addresses guess keys, however often they are refused."""

import time
from collections.abc import Callable
from contextlib import suppress

from store.audit import note_guessing
from store.database import Database, StoreUnavailable

_MOST_ADDRESSES = 10
"""So many addresses are written down in a minute by one process: guessing must not fill the disk."""
_MINUTE_S = 60


class GuessLog:
    """One row for each address and minute; one log per application."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._minute = -1
        self._noted: set[str] = set()

    async def refused(self, address: str) -> None:
        """Write down that an address was refused for guessing; without a database it goes unwritten."""
        minute = int(self._clock() // _MINUTE_S)
        if minute != self._minute:
            self._minute, self._noted = minute, set()
        if address in self._noted or len(self._noted) >= _MOST_ADDRESSES:
            return
        self._noted.add(address)
        with suppress(StoreUnavailable):
            await self._database.write(note_guessing, address)
