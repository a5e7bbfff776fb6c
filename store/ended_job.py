"""A job that ended otherwise than by the report of its attempt: its deadline passed, or it is poison."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EndedJob:
    """What its waiting caller and the worker of its running call are told of."""

    id: bytes
    n: int
    """Its last attempt; 0 when there was none."""
    reply_to: bytes | None
    """The API process that waits for it; None when nobody does."""
    was_running: bool
    """A call may still run and is to be cut."""
