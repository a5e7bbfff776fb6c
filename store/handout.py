"""Hand-out: what waits in SQL is given to the queues, a bounded window at a time.

At most `window` unclaimed jobs per queue are published; all the rest waits here. Single jobs go first, then slices,
one from each batch in turn, the longest unserved batch first. A row is marked as published before its message is
sent: if the process dies in between, `stranded` finds it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from sqlalchemy import ColumnElement, Connection, func, select, update

from router.lifecycle import BatchStatus, JobState
from store.tables import batch, job, slices

_JOBS_PER_MESSAGE = 64
_BATCHES_PER_TURN = 32
_SLICES_PER_TURN = 16
_ADVISORY_CLASS = 0x6C616E65  # "lane"


@dataclass(frozen=True, slots=True)
class JobsMessage:
    """`run(job_ids)` for a queue."""

    queue: str
    job_ids: tuple[bytes, ...]
    published_at_ms: int


@dataclass(frozen=True, slots=True)
class SliceMessage:
    """`run_slice(slice_id)` for a queue."""

    queue: str
    slice_id: bytes
    published_at_ms: int


Message = JobsMessage | SliceMessage


def hand_out(connection: Connection, now_ms: int, queue: str, window: int) -> list[Message]:
    """Mark as published what fits into the queue's window and return the messages to send after the commit.

    The last slice may reach over the window's edge.
    """
    _one_at_a_time(connection, queue)
    room = window - unclaimed(connection, now_ms, queue)
    if room <= 0:
        return []
    job_ids = _publish_jobs(connection, now_ms, queue, room)
    slice_ids = _publish_slices(connection, now_ms, queue, room - len(job_ids))
    return [*_job_messages(queue, job_ids, now_ms), *(SliceMessage(queue, each, now_ms) for each in slice_ids)]


def _one_at_a_time(connection: Connection, queue: str) -> None:
    """Let hand-outs of a queue follow each other, so that each counts what the one before it published.

    SQLite has one writer anyway. No lock is held on the batches, which a group that finishes their lines would hide.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_CLASS, func.hashtext(queue))))


def unclaimed(connection: Connection, _now_ms: int, queue: str) -> int:
    """Count the jobs of a queue that are published and not yet claimed."""
    single = select(func.count()).where(_waiting_job(queue), job.c.published_at_ms.is_not(None)).scalar_subquery()
    sliced = (
        select(func.coalesce(func.sum(slices.c.jobs), 0))
        .where(slices.c.queue == queue, slices.c.published_at_ms.is_not(None), slices.c.claimed_at_ms.is_(None))
        .scalar_subquery()
    )
    return int(connection.execute(select(single + sliced)).scalar_one())


def busy_queues(connection: Connection, _now_ms: int) -> set[str]:
    """List the queues that have something unclaimed."""
    single = select(job.c.queue).where(job.c.state == JobState.QUEUED, job.c.slice_id.is_(None))
    sliced = select(slices.c.queue).where(slices.c.claimed_at_ms.is_(None))
    return set(connection.execute(single.union(sliced)).scalars())


def stranded(connection: Connection, now_ms: int, queue: str, older_than_ms: int) -> list[Message]:
    """Mark again, and return the messages of, what was published before `older_than_ms` and is still unclaimed.

    Their messages were lost, or are still on their way: a duplicate costs nothing.
    """
    job_ids = connection.execute(
        select(job.c.id)
        .where(_waiting_job(queue), job.c.published_at_ms < older_than_ms)
        .limit(500)
        .with_for_update(skip_locked=True)
    ).scalars()
    lost_jobs = list(job_ids)
    _mark_jobs(connection, now_ms, lost_jobs)
    slice_ids = connection.execute(
        select(slices.c.id)
        .where(slices.c.queue == queue, slices.c.published_at_ms < older_than_ms, slices.c.claimed_at_ms.is_(None))
        .limit(100)
        .with_for_update(skip_locked=True)
    ).scalars()
    lost_slices = list(slice_ids)
    _mark_slices(connection, now_ms, lost_slices)
    return [*_job_messages(queue, lost_jobs, now_ms), *(SliceMessage(queue, each, now_ms) for each in lost_slices)]


def oldest_first(connection: Connection, now_ms: int, queue: str, limit: int) -> tuple[list[bytes], list[bytes]]:
    """List (job ids, slice ids) that could be claimed at once, for workers that must do without Redis."""
    jobs = (
        select(job.c.id)
        .where(_waiting_job(queue), job.c.not_before_ms <= now_ms)
        .order_by(job.c.priority.desc(), job.c.not_before_ms, job.c.id)
        .limit(limit)
    )
    open_batches = select(batch.c.id).where(batch.c.status == BatchStatus.IN_PROGRESS, batch.c.closing.is_(None))
    lines = (
        select(slices.c.id)
        .where(slices.c.queue == queue, slices.c.claimed_at_ms.is_(None), slices.c.batch_id.in_(open_batches))
        .order_by(slices.c.id)
        .limit(1)
    )
    return list(connection.execute(jobs).scalars()), list(connection.execute(lines).scalars())


def forget_publishes(connection: Connection, _now_ms: int) -> None:
    """Mark everything unclaimed as unpublished: Redis lost its queues."""
    connection.execute(
        update(job)
        .where(job.c.state == JobState.QUEUED, job.c.slice_id.is_(None), job.c.published_at_ms.is_not(None))
        .values(published_at_ms=None)
    )
    connection.execute(
        update(slices)
        .where(slices.c.published_at_ms.is_not(None), slices.c.claimed_at_ms.is_(None))
        .values(published_at_ms=None)
    )


def _waiting_job(queue: str) -> ColumnElement[bool]:
    return (job.c.queue == queue) & (job.c.state == JobState.QUEUED) & job.c.slice_id.is_(None)


def _publish_jobs(connection: Connection, now_ms: int, queue: str, room: int) -> list[bytes]:
    due = (
        select(job.c.id)
        .where(_waiting_job(queue), job.c.published_at_ms.is_(None), job.c.not_before_ms <= now_ms)
        .order_by(job.c.priority.desc(), job.c.not_before_ms)
        .limit(room)
        .with_for_update(skip_locked=True)
    )
    job_ids = list(connection.execute(due).scalars())
    _mark_jobs(connection, now_ms, job_ids)
    return job_ids


def _publish_slices(connection: Connection, now_ms: int, queue: str, room: int) -> list[bytes]:
    chosen: list[bytes] = []
    served: list[bytes] = []
    for batch_id, slice_id, jobs in _in_turns(connection, queue, room):
        if room <= 0:
            break
        chosen.append(slice_id)
        served.append(batch_id)
        room -= jobs
    _mark_slices(connection, now_ms, chosen)
    if served:
        connection.execute(update(batch).where(batch.c.id.in_(sorted(set(served)))).values(handed_out_at_ms=now_ms))
    return chosen


def _in_turns(connection: Connection, queue: str, room: int) -> Iterator[tuple[bytes, bytes, int]]:
    """Walk the waiting slices of the open batches, one of each in turn."""
    if room <= 0:
        return iter(())
    open_batches = connection.execute(
        select(batch.c.id)
        .where(
            batch.c.status == BatchStatus.IN_PROGRESS,
            batch.c.closing.is_(None),
            select(slices.c.id).where(_waiting_slice(queue), slices.c.batch_id == batch.c.id).exists(),
        )
        .order_by(batch.c.handed_out_at_ms, batch.c.id)
        .limit(_BATCHES_PER_TURN)
    ).scalars()
    lanes = [_waiting_slices(connection, queue, batch_id) for batch_id in list(open_batches)]
    turns = chain.from_iterable(zip_longest(*lanes))
    return (turn for turn in turns if turn is not None)


def _waiting_slice(queue: str) -> ColumnElement[bool]:
    return (slices.c.queue == queue) & slices.c.published_at_ms.is_(None) & slices.c.claimed_at_ms.is_(None)


def _waiting_slices(connection: Connection, queue: str, batch_id: bytes) -> list[tuple[bytes, bytes, int]]:
    rows = connection.execute(
        select(slices.c.batch_id, slices.c.id, slices.c.jobs)
        .where(_waiting_slice(queue), slices.c.batch_id == batch_id)
        .order_by(slices.c.id)
        .limit(_SLICES_PER_TURN)
        .with_for_update(skip_locked=True)  # the slices, not the batch: its row is every finish group's
    )
    return [(row.batch_id, row.id, row.jobs) for row in rows]


def _mark_jobs(connection: Connection, now_ms: int, job_ids: Sequence[bytes]) -> None:
    if job_ids:
        connection.execute(
            update(job).where(job.c.id.in_(job_ids)).values(published_at_ms=now_ms, publish_n=job.c.publish_n + 1)
        )


def _mark_slices(connection: Connection, now_ms: int, slice_ids: Sequence[bytes]) -> None:
    if slice_ids:
        connection.execute(
            update(slices)
            .where(slices.c.id.in_(slice_ids))
            .values(published_at_ms=now_ms, publish_n=slices.c.publish_n + 1)
        )


def _job_messages(queue: str, job_ids: Sequence[bytes], now_ms: int) -> list[Message]:
    groups = (job_ids[start : start + _JOBS_PER_MESSAGE] for start in range(0, len(job_ids), _JOBS_PER_MESSAGE))
    return [JobsMessage(queue, tuple(group), now_ms) for group in groups]
