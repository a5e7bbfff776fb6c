"""A move: a job was sent to one deployment first and is now another's. Read from its attempts. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Call(Protocol):
    """What a move needs to know of an attempt."""

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str:
        """The name that was sent to the provider."""
        ...

    @property
    def error_class(self) -> str | None:
        """Why it gave no answer; None where it gave one, or was given back for no fault of the deployment."""
        ...


@dataclass(frozen=True, slots=True)
class Move:
    """From the first deployment to the last one."""

    origin: str
    """`provider/model`."""
    target: str
    reason: str | None
    """The class of the failure, or of the closure, that made the job leave the first one; None where none is known."""


def place(call: Call) -> str:
    """The deployment of an attempt, as it is written everywhere."""
    return f"{call.provider}/{call.model}"


def move_of(calls: Sequence[Call]) -> Move | None:
    """Compare the first and the last attempt of a job, in their order; None when it stayed, or came back."""
    if not calls or place(calls[0]) == place(calls[-1]):
        return None
    origin, reason = place(calls[0]), None
    for call in calls:
        if place(call) != origin:
            break
        reason = call.error_class or reason
    return Move(origin, place(calls[-1]), reason)
