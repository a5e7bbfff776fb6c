"""The end of twins: lines that wait for the answer of another one get it, in steps, soon after that one has ended."""

import asyncio
import logging
from collections.abc import Callable

from store.database import Database, StoreUnavailable
from store.twins import end_twins

_log = logging.getLogger(__name__)


class Twins:
    """Ends twins until cancelled. Any number of workers may do so at once."""

    def __init__(self, database: Database, to_write: Callable[[], None]) -> None:
        """`to_write` is called when a batch waits for its files to be written."""
        self._database = database
        self._to_write = to_write
        self._wake = asyncio.Event()

    def look(self) -> None:
        """Ask for a look now: a line ended for which others wait, or a sweep found one."""
        self._wake.set()

    async def run(self) -> None:
        """Look at the start, and whenever asked: by every sweep that finds something to do."""
        while True:
            try:
                await self._end_all()
            except StoreUnavailable as error:
                _log.warning("lines that wait for others wait for the database: %s", error)
            except Exception:
                _log.exception("lines that wait for others could not be ended; it is tried again")
            await self._wake.wait()
            self._wake.clear()

    async def _end_all(self) -> None:
        is_more = True
        while is_more:
            done = await self._database.write(end_twins)
            is_more = done.is_more
            if done.to_write:
                self._to_write()
