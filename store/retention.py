"""Retention: request and answer bodies of batches are deleted when their time is over; counts and costs stay.

Output and error files have an expiry of their own (`store.files`).
"""

from sqlalchemy import Connection, delete, func, select, update

from router.lifecycle import BATCH_TERMINAL
from store.tables import batch, job, payload, result

_LIMIT = 2_000


def purge_bodies(connection: Connection, now_ms: int, keep_ms: int) -> int:
    """Delete up to a few thousand bodies of the oldest batch that ended before `now - keep_ms`; returns how many."""
    ended_at_ms = func.coalesce(
        batch.c.completed_at_ms, batch.c.failed_at_ms, batch.c.expired_at_ms, batch.c.cancelled_at_ms
    )
    batch_id = connection.execute(
        select(batch.c.id)
        .where(
            batch.c.status.in_(BATCH_TERMINAL), batch.c.bodies_purged_at_ms.is_(None), ended_at_ms < now_ms - keep_ms
        )
        .order_by(batch.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).scalar()
    if batch_id is None:
        return 0
    query = (
        select(payload.c.job_id).join(job, job.c.id == payload.c.job_id).where(job.c.batch_id == batch_id).limit(_LIMIT)
    )
    job_ids = list(connection.execute(query).scalars())
    if not job_ids:
        connection.execute(update(batch).where(batch.c.id == batch_id).values(bodies_purged_at_ms=now_ms))
    connection.execute(delete(result).where(result.c.job_id.in_(job_ids)))
    connection.execute(delete(payload).where(payload.c.job_id.in_(job_ids)))
    return len(job_ids)
