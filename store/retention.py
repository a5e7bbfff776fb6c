"""Retention: request and answer bodies are deleted when their time is over; metadata, usage and cost stay.

Bodies of batches go by batch, those of single jobs each by itself. Output and error files have an expiry of their own
(`store.files`).
"""

from collections.abc import Sequence
from enum import IntEnum

from sqlalchemy import Connection, bindparam, case, delete, func, literal_column, null, select, update

from router.lifecycle import BATCH_TERMINAL, JOB_TERMINAL
from store.bulk import execute_many
from store.compiled import fetch
from store.tables import batch, job, payload, result

_LIMIT = 2_000
_SINGLES = 500
_UNANSWERED_MS = 3_600_000
_A_DAY_MS = 86_400_000


class Bodies(IntEnum):
    """How long the bodies of a single job are kept after its end (the column `job.ephemeral`)."""

    KEPT = 0
    """For the time of `store.keep_content`."""
    UNTIL_ANSWERED = 1
    """Until the waiting caller has its answer; an hour where the caller left before."""
    A_DAY = 2
    """A day: the job has an `Idempotency-Key`, and its answer may be asked for again."""
    GONE = 3
    """They are deleted."""


_THESE = job.c.id.in_(bindparam("ids", expanding=True))
_UNTIL_NOW = job.c.ephemeral == literal_column(str(int(Bodies.UNTIL_ANSWERED)))
_ANSWERED = (
    update(job)
    .where(_THESE, job.c.state.in_([literal_column(f"'{state}'") for state in sorted(JOB_TERMINAL)]))
    .values(
        body_hash=null(),
        ephemeral=case((_UNTIL_NOW, literal_column(str(int(Bodies.GONE)))), else_=job.c.ephemeral),
    )
    .returning(job.c.id, job.c.ephemeral)
)
_DELETE_RESULT = delete(result).where(result.c.job_id == bindparam("b_id"))
_DELETE_PAYLOAD = delete(payload).where(payload.c.job_id == bindparam("b_id"))


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
    _delete_bodies(connection, job_ids)
    return len(job_ids)


def purge_ephemeral(connection: Connection, now_ms: int, keep_ms: int) -> int:
    """Delete up to 500 bodies a kind of single jobs that ended long enough ago; returns how many."""
    kept_ms = {Bodies.KEPT: keep_ms, Bodies.UNTIL_ANSWERED: _UNANSWERED_MS, Bodies.A_DAY: _A_DAY_MS}
    purged = 0
    for kind, ms in kept_ms.items():
        # The words of the partial index, as literals: SQLite proves from nothing less that it may use it.
        query = select(job.c.id).where(
            job.c.batch_id.is_(None),
            job.c.finished_at_ms.is_not(None),
            job.c.ephemeral < literal_column("3"),
            job.c.ephemeral == literal_column(str(int(kind))),
            job.c.finished_at_ms < now_ms - ms,
        )
        old = query.order_by(job.c.finished_at_ms).limit(_SINGLES).with_for_update(skip_locked=True)
        job_ids = list(connection.execute(old).scalars())
        _forget(connection, job_ids)
        purged += len(job_ids)
    return purged


def answered(connection: Connection, _now_ms: int, job_ids: Sequence[bytes]) -> None:
    """Note that the callers of these ended jobs have their answers: bodies that were kept for that alone go now.

    From here on a repetition of the same request is a new job.
    """
    rows = fetch(connection, _ANSWERED, {"ids": job_ids})
    gone = [{"b_id": job_id} for job_id, bodies in rows if bodies == Bodies.GONE]
    execute_many(connection, _DELETE_RESULT, gone)
    execute_many(connection, _DELETE_PAYLOAD, gone)


def keep_bodies(connection: Connection, _now_ms: int, job_id: bytes) -> None:
    """Keep the bodies of a job after all: its caller was told to come back for the answer."""
    connection.execute(
        update(job)
        .where(job.c.id == job_id, job.c.ephemeral == int(Bodies.UNTIL_ANSWERED))
        .values(ephemeral=int(Bodies.KEPT), body_hash=None)
    )


def _forget(connection: Connection, job_ids: Sequence[bytes]) -> None:
    _delete_bodies(connection, job_ids)
    if job_ids:
        connection.execute(update(job).where(job.c.id.in_(job_ids)).values(ephemeral=int(Bodies.GONE), body_hash=None))


def _delete_bodies(connection: Connection, job_ids: Sequence[bytes]) -> None:
    if job_ids:
        connection.execute(delete(result).where(result.c.job_id.in_(job_ids)))
        connection.execute(delete(payload).where(payload.c.job_id.in_(job_ids)))
