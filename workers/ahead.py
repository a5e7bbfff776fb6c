"""Work ahead: while one piece of work is done the next is made ready, and no two are ever done at once."""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

Work = Callable[[], Coroutine[Any, Any, bool]]
"""Returns False when it was refused: then no other may follow."""


class Ahead:
    """Does pieces of work in the order in which they are started; at its end nothing is left running.

    Left by an error, it lets the work that is under way end; left by a cancellation, it cancels that work as well.
    """

    def __init__(self) -> None:
        self._under_way: asyncio.Task[bool] | None = None

    async def __aenter__(self) -> "Ahead":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._under_way is not None and kind is not None and issubclass(kind, asyncio.CancelledError):
            self._under_way.cancel()
        await self.done()

    async def start(self, work: Work) -> bool:
        """Begin `work` as soon as the work before it has ended, whose error is raised here.

        Returns False, and begins nothing, where that was refused.
        """
        if not await self.done():
            return False
        self._under_way = asyncio.create_task(work())
        return True

    async def done(self) -> bool:
        """Wait for the work under way, if any; False where it was refused. Raises its error."""
        work, self._under_way = self._under_way, None
        return work is None or await work
