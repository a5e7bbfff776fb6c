"""Closing: jobs that must not run any more end as `cancelled` or `expired`, in steps of bounded size.

A batch closes because its caller cancelled it or its window ran out. Its waiting lines end at once; its running
calls get a short grace, then they end too and their workers are told to cut them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, select, update

from providers.failure import ErrorClass
from router.lifecycle import BatchStatus, JobState
from store.ended_job import EndedJob
from store.events import job_ended, record
from store.progress import BatchProgress, record_progress
from store.reserved import HELD_COLUMNS, give_back
from store.slice_reserved import give_back_slices
from store.tables import AnyRow, attempt, batch, job, slices
from store.waiting import open_single, running_attempt, waiting_line

_SLICES = 8
_JOBS = 1_000


@dataclass(frozen=True, slots=True)
class Closing:
    """A batch on its way to `cancelled` or `expired`."""

    batch_id: bytes
    state: JobState
    """What its open lines become."""
    cut_running: bool
    """Whether the grace of its running calls is over."""


is_closing = (
    batch.c.status.in_((BatchStatus.IN_PROGRESS, BatchStatus.CANCELLING))
    & batch.c.closing.is_not(None)
    & (batch.c.completed + batch.c.failed < batch.c.total)
)
"""The batches with lines still to be closed."""


def late_single(now_ms: ColumnElement[int] | int) -> ColumnElement[bool]:
    """A single job whose deadline has passed."""
    return open_single() & (job.c.deadline_at_ms <= now_ms)


def past_window(now_ms: ColumnElement[int] | int) -> ColumnElement[bool]:
    """A batch whose window has run out, and that is not marked so yet."""
    is_open = (batch.c.status == BatchStatus.IN_PROGRESS) & batch.c.closing.is_(None)
    return is_open & (batch.c.expires_at_ms <= now_ms)


def begin_expiry(connection: Connection, now_ms: int) -> None:
    """Mark the batches whose window has run out."""
    connection.execute(update(batch).where(past_window(now_ms)).values(closing=BatchStatus.EXPIRED))


def closing_batches(connection: Connection, now_ms: int, grace_ms: int) -> list[Closing]:
    """List the batches with lines still to be closed."""
    rows = connection.execute(
        select(batch.c.id, batch.c.closing, batch.c.cancelling_at_ms, batch.c.expires_at_ms).where(is_closing)
    )
    found = []
    for row in rows:
        cancelled = row.closing == BatchStatus.CANCELLED
        since = row.cancelling_at_ms if cancelled else row.expires_at_ms
        state = JobState.CANCELLED if cancelled else JobState.EXPIRED
        found.append(Closing(row.id, state, now_ms >= (since or 0) + grace_ms))
    return found


def close_lines(connection: Connection, now_ms: int, closing: Closing) -> int:
    """End up to a thousand or so waiting lines of a closing batch; returns how many, 0 when none waits any more."""
    unclaimed = connection.execute(
        select(slices.c.id, slices.c.reserved_nanousd)
        .where(slices.c.batch_id == closing.batch_id, slices.c.claimed_at_ms.is_(None))
        .limit(_SLICES)
        .with_for_update(skip_locked=True)
    ).all()
    waiting = select(*HELD_COLUMNS).where(waiting_line())
    if unclaimed:
        these = [row.id for row in unclaimed]
        done = {"claimed_at_ms": now_ms, "reserved_nanousd": 0}
        connection.execute(update(slices).where(slices.c.id.in_(these)).values(done))
        waiting = waiting.where(job.c.slice_id.in_(these))
    else:
        waiting = waiting.where(job.c.batch_id == closing.batch_id)
    waiting = waiting.order_by(job.c.id).limit(_JOBS).with_for_update(skip_locked=True)
    lines = connection.execute(waiting).all()
    give_back_slices(connection, now_ms, closing.batch_id, sum(row.reserved_nanousd for row in unclaimed))
    return _end(connection, now_ms, closing, lines)


def cut_lines(connection: Connection, now_ms: int, closing: Closing) -> list[bytes]:
    """End the running lines of a closing batch; returns their jobs, whose calls are to be cut."""
    calls = select(attempt.c.job_id, attempt.c.n).where(running_attempt()).cte("calls").prefix_with("MATERIALIZED")
    running = (
        select(*HELD_COLUMNS)
        .join(calls, (calls.c.job_id == job.c.id) & (calls.c.n == job.c.attempt))
        .where(job.c.batch_id == closing.batch_id, job.c.state == JobState.IN_PROGRESS)
        .order_by(job.c.id)
        .limit(_JOBS)
        .with_for_update(of=job, skip_locked=True)
    )
    lines = connection.execute(running).all()
    _end(connection, now_ms, closing, lines)
    return [row.id for row in lines]


def _end(connection: Connection, now_ms: int, closing: Closing, lines: Sequence[AnyRow]) -> int:
    """End lines, rows of `HELD_COLUMNS`."""
    if not lines:
        return 0
    error_class = ErrorClass.CANCELLED if closing.state == JobState.CANCELLED else ErrorClass.EXPIRED
    connection.execute(
        update(job)
        .where(job.c.id.in_([row.id for row in lines]))
        .values(state=closing.state, error_class=error_class, slice_id=None, finished_at_ms=now_ms, reserved_nanousd=0)
    )
    give_back(connection, now_ms, lines)
    progress = BatchProgress()
    progress.add_failed(error_class, lines=len(lines))
    record_progress(connection, now_ms, {closing.batch_id: progress})
    return len(lines)


def expire_jobs(connection: Connection, now_ms: int) -> list[EndedJob]:
    """End single jobs whose deadline has passed, and say which: running calls are to be cut, waiting callers told."""
    late = connection.execute(
        select(*HELD_COLUMNS, job.c.state, job.c.attempt, job.c.reply_to, job.c.notify)
        .where(late_single(now_ms))
        .limit(_JOBS)
        .with_for_update(skip_locked=True)
    ).all()
    if late:
        connection.execute(
            update(job)
            .where(job.c.id.in_([row.id for row in late]))
            .values(state=JobState.EXPIRED, error_class=ErrorClass.EXPIRED, finished_at_ms=now_ms, reserved_nanousd=0)
        )
        give_back(connection, now_ms, late)
        told = [job_ended(row.key_id, row.id, JobState.EXPIRED, row.notify) for row in late if row.notify]
        record(connection, now_ms, told)
    return [EndedJob(row.id, row.attempt, row.reply_to, row.state == JobState.IN_PROGRESS) for row in late]
