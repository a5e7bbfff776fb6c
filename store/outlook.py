"""The outlook: whether a sweep finds anything to do, asked in one statement.

Every worker looks at a system at rest every few seconds. Were each step of the sweep to look for itself, and each chore
beside it, that would be most of what such a system uses. What stands here are the steps' own conditions, so that none
of them has work that is not seen.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, BindParameter, ColumnElement, Connection, bindparam, literal_column, or_, select

from store.closing import is_closing, late_single, past_window
from store.compiled import fetch
from store.deliveries import due_delivery
from store.epoch import remembered_epoch
from store.keeping import Chore, needs_keeper
from store.pauses import waits_for_money
from store.tables import attempt, batch, delivery, job, slices
from store.twins import ended_leader
from store.waiting import (
    active_batch,
    lapsed_attempt,
    published_job,
    published_slice,
    unpublished_job,
    unpublished_slice,
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """How things stand when a sweep begins."""

    is_due: bool
    """Whether a step or a chore has anything to do; what others hold just now counts, too."""
    epoch: str | None
    """The epoch that SQL publishes into; None before the first."""


def look_out(connection: Connection, now_ms: int) -> Outlook:
    """Look for work of every kind, without a lock."""
    [(is_due, epoch)] = fetch(connection, _LOOK, {"now": now_ms})
    return Outlook(bool(is_due), epoch)


_NOW: BindParameter[int] = bindparam("now", type_=BigInteger)
_CHORES = or_(past_window(_NOW), is_closing, waits_for_money, *(needs_keeper(chore, _NOW) for chore in Chore))
"""What there is to do for a batch. The few open ones are read once for all of it."""
_WORK: tuple[tuple[ColumnElement[Any], ColumnElement[bool]], ...] = (
    (job.c.queue, unpublished_job()),
    (job.c.queue, published_job()),
    (slices.c.key_id, unpublished_slice()),
    (slices.c.queue, published_slice()),
    (attempt.c.owner, lapsed_attempt(_NOW)),
    (job.c.deadline_at_ms, late_single(_NOW)),
    (batch.c.status, active_batch() & _CHORES),
    (job.c.id, ended_leader),
    (delivery.c.next_at_ms, due_delivery(_NOW)),
)
"""Each condition has an index of its own, which begins with the column."""


def _is_any(column: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Ask for the first row in the order of the index.

    For any row at all PostgreSQL would read the table from its beginning, wherever it believes that there are many.
    """
    first = select(column).where(condition).order_by(column).limit(literal_column("1"))
    return first.scalar_subquery().is_not(None)


_LOOK = select(or_(*(_is_any(*each) for each in _WORK)), remembered_epoch.scalar_subquery())
