"""The bill's file: rows appended as JSON lines, so that the bill outlives the simulator."""

import asyncio
from pathlib import Path
from typing import Final

from providers.simulator.bill import Bill

_LINGER_S: Final = 0.1


class BillFile:
    """Appends a bill's new rows to a file, at most 100 ms after they were made and once more on close."""

    def __init__(self, path: Path, bill: Bill, loop: asyncio.AbstractEventLoop) -> None:
        """Open the file for appending; raises OSError when that is not possible."""
        self._file = path.open("ab")
        self._bill = bill
        self._loop = loop
        self._written = len(bill)
        self._timer: asyncio.TimerHandle | None = None

    def touch(self) -> None:
        """Say that the bill has a new row."""
        if self._timer is None:
            self._timer = self._loop.call_later(_LINGER_S, self.flush)

    def flush(self) -> None:
        """Write every new row now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._file.writelines(self._bill.lines(self._written))
        self._file.flush()
        self._written = len(self._bill)

    def restart(self) -> None:
        """Go on after the bill was cleared; rows in the file stay. Flush before clearing."""
        self._written = len(self._bill)

    def close(self) -> None:
        """Write what is left and close the file."""
        self.flush()
        self._file.close()
