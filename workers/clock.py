"""The clock: the database's time, carried on by this process's monotonic clock between two looks at it."""

import time


class Clock:
    """One process's idea of the database's time. Claims and renewals bring the truth."""

    __slots__ = ("_offset_ms",)

    def __init__(self) -> None:
        self._offset_ms = 0

    def set(self, database_now_ms: int) -> None:
        """Note the database's time."""
        self._offset_ms = database_now_ms - time.monotonic_ns() // 1_000_000

    def now_ms(self) -> int:
        """The database's time now."""
        return time.monotonic_ns() // 1_000_000 + self._offset_ms
