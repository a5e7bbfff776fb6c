"""Resends: what is marked as published and was never claimed. Its message was lost, or is on its way.

Without Redis, workers claim the same rows straight from here.
"""

from sqlalchemy import Connection, select, update

from store.job_handout import mark_jobs
from store.messages import Message, SliceMessage, job_messages
from store.tables import job, slices
from store.waiting import published_job, published_slice

_JOBS = 500
_SLICES = 100


def stranded(connection: Connection, now_ms: int, queue: str, older_than_ms: int) -> list[Message]:
    """Mark again, and return the messages of, what was published before `older_than_ms` and is still unclaimed.

    A duplicate costs nothing.
    """
    old_jobs = (
        select(job.c.id)
        .where(published_job(), job.c.queue == queue, job.c.published_at_ms < older_than_ms)
        .limit(_JOBS)
        .with_for_update(skip_locked=True)
    )
    job_ids = list(connection.execute(old_jobs).scalars())
    mark_jobs(connection, now_ms, job_ids)
    old_slices = (
        select(slices.c.id)
        .where(published_slice(), slices.c.queue == queue, slices.c.published_at_ms < older_than_ms)
        .limit(_SLICES)
        .with_for_update(skip_locked=True)
    )
    slice_ids = list(connection.execute(old_slices).scalars())
    if slice_ids:
        again = {"published_at_ms": now_ms, "publish_n": slices.c.publish_n + 1}
        connection.execute(update(slices).where(slices.c.id.in_(slice_ids)).values(again))
    return [*job_messages(queue, job_ids, now_ms), *(SliceMessage(queue, each, now_ms) for each in slice_ids)]


def oldest_first(connection: Connection, now_ms: int, queue: str, limit: int) -> tuple[list[bytes], list[bytes]]:
    """List (job ids, slice ids) that were handed out first and can be claimed at once, for workers without Redis."""
    jobs = (
        select(job.c.id)
        .where(published_job(), job.c.queue == queue, job.c.not_before_ms <= now_ms)
        .order_by(job.c.published_at_ms)
        .limit(limit)
    )
    lines = (
        select(slices.c.id)
        .where(published_slice(), slices.c.queue == queue)
        .order_by(slices.c.published_at_ms)
        .limit(1)
    )
    return list(connection.execute(jobs).scalars()), list(connection.execute(lines).scalars())


def forget_publishes(connection: Connection, _now_ms: int) -> None:
    """Mark everything unclaimed as unpublished: Redis lost its queues."""
    connection.execute(update(job).where(published_job()).values(published_at_ms=None))
    connection.execute(update(slices).where(published_slice()).values(published_at_ms=None))
