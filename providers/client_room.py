"""Room for large bodies: what the responses of one process may hold in memory together while they are read.

A small body asks nobody. Of a larger one every further byte is taken from a room that all share; where that is used up,
the body is read on when others have ended, and its server waits. One at a time may go beyond the room, so that bodies
which each hold a part never wait for one another.
"""

import asyncio
from collections import deque

FREE_BYTES = 1 << 20
"""What each body may hold without asking."""
ROOM_BYTES = 64 << 20


class BodyRoom:
    """The room of one process; use it on one event loop only."""

    def __init__(self, room_bytes: int = ROOM_BYTES) -> None:
        self._left_bytes = room_bytes
        self._beyond: Share | None = None
        """The one that is let beyond the room; it never waits."""
        self._waiting: deque[tuple[Share, int, asyncio.Future[None]]] = deque()

    def share(self) -> "Share":
        """Make a body's share; it is held inside `with`, and all of it given back at the end."""
        return Share(self)

    async def take(self, share: "Share", size_bytes: int) -> None:
        """Take room for a share; waits for its turn where there is none."""
        if share is self._beyond or (not self._waiting and self._has_room(size_bytes)):
            self._give(share, size_bytes)
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((share, size_bytes, granted))
        await granted

    def give_back(self, share: "Share") -> None:
        """Take back all that a share holds, for those that wait."""
        self._left_bytes += share.held_bytes
        share.held_bytes = 0
        if self._beyond is share:
            self._beyond = None
        self._look()

    def _has_room(self, size_bytes: int) -> bool:
        return size_bytes <= self._left_bytes or self._beyond is None

    def _give(self, share: "Share", size_bytes: int) -> None:
        if size_bytes > self._left_bytes:
            self._beyond = share
        self._left_bytes -= size_bytes
        share.held_bytes += size_bytes

    def _look(self) -> None:
        """Let those go on for whom there is room, in their order."""
        while self._waiting:
            share, size_bytes, granted = self._waiting[0]
            if not granted.cancelled():
                if not self._has_room(size_bytes):
                    return
                self._give(share, size_bytes)
                granted.set_result(None)
            self._waiting.popleft()


class Share:
    """What one body holds of the room."""

    def __init__(self, room: BodyRoom) -> None:
        self._room = room
        self.held_bytes = 0

    def __enter__(self) -> "Share":
        return self

    def __exit__(self, *_error: object) -> None:
        self._room.give_back(self)

    async def hold(self, body_bytes: int) -> None:
        """Wait until a body of that many bytes so far has its room."""
        more_bytes = body_bytes - FREE_BYTES - self.held_bytes
        if more_bytes > 0:
            await self._room.take(self, more_bytes)
