"""Twins: lines of one batch whose requests are alike, of which only the first, their leader, is called.

A twin waits, in no queue, until its leader has ended; then it ends likewise: with the same answer, which is stored
once, or with the same failure. That its leader has ended is the message: whoever finds it ends the twins that wait,
some in each transaction. See docs/protocol.md, step 7a.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, bindparam, func, literal_column, select, update

from providers.failure import ErrorClass
from router.lifecycle import JobState
from store.compiled import fetch
from store.progress import BatchProgress, record_progress
from store.tables import AnyRow, job

ANSWERED_BY = func.coalesce(job.c.twin_of, job.c.id)
"""The job whose result is a line's answer: a twin has its leader's."""
_MOST_TWINS = 500
_MOST_LEADERS = 200
_NONE: ColumnElement[int] = literal_column("0")
_QUEUED: ColumnElement[str] = literal_column(f"'{JobState.QUEUED}'")
ended_leader = (job.c.leads != _NONE) & job.c.finished_at_ms.is_not(None)
"""A line that has ended, and for whose answer others wait; its index is `job_leading`."""
_ENDED_LEADERS = (
    select(job.c.id, job.c.batch_id, job.c.state, job.c.error_class, job.c.error_status, job.c.error_json)
    .where(ended_leader)
    .order_by(job.c.id)
    .limit(_MOST_LEADERS)
    .with_for_update(skip_locked=True)
)
_WAITING = (
    select(job.c.id)
    .where(job.c.slice_id == bindparam("leader"), job.c.state == _QUEUED)
    .limit(bindparam("most"))
    .with_for_update()
)


@dataclass(frozen=True, slots=True)
class TwinsEnded:
    """What one step did."""

    is_more: bool
    """Whether there may be more to do at once."""
    to_write: bool
    """Whether a batch waits for its files to be written now."""


def lock_leaders(connection: Connection, batch_id: bytes, numbers: Collection[int]) -> dict[int, bytes]:
    """Find leaders by the numbers of their lines, and hold their ends back until the transaction ends."""
    if not numbers:
        return {}
    query = select(job.c.line_no, job.c.id).where(job.c.batch_id == batch_id, job.c.line_no.in_(numbers))
    return {row.line_no: row.id for row in connection.execute(query.order_by(job.c.id).with_for_update())}


def end_twins(connection: Connection, now_ms: int) -> TwinsEnded:
    """End up to 500 twins whose leaders have ended. Safe to run anywhere, any time."""
    progress: dict[bytes, BatchProgress] = defaultdict(BatchProgress)
    room, done = _MOST_TWINS, []
    leaders = connection.execute(_ENDED_LEADERS).all()
    for leader in leaders:
        twins = [row[0] for row in fetch(connection, _WAITING, {"leader": leader.id, "most": room})]
        if twins:
            _end(connection, now_ms, leader, twins)
            _count(progress[leader.batch_id], leader, len(twins))
        if len(twins) == room:
            break
        room -= len(twins)
        done.append(leader.id)
    if done:
        connection.execute(update(job).where(job.c.id.in_(done)).values(leads=0))
    to_write = record_progress(connection, now_ms, progress)
    return TwinsEnded(len(done) < len(leaders) or len(leaders) == _MOST_LEADERS, to_write)


def _end(connection: Connection, now_ms: int, leader: AnyRow, twins: list[bytes]) -> None:
    connection.execute(
        update(job)
        .where(job.c.id.in_(twins))
        .values(
            state=leader.state,
            error_class=leader.error_class,
            error_status=leader.error_status,
            error_json=leader.error_json,
            finished_at_ms=now_ms,
            slice_id=None,
        )
    )


def _count(progress: BatchProgress, leader: AnyRow, twins: int) -> None:
    if leader.state == JobState.COMPLETED:
        progress.completed += twins
        progress.coalesced += twins
    else:
        progress.add_failed(ErrorClass(leader.error_class), leader.error_json, lines=twins)
