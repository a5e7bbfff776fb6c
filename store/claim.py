"""Claiming: queued jobs become one worker's, each with its attempt written before any call is made.

One conditional UPDATE claims a whole message. Jobs that are not `queued` (any more) are not returned, so a message
delivered twice costs one UPDATE of no rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, insert, null, select, update

from router.lifecycle import JobState
from router.outcome import AttemptOutcome
from store.tables import AnyRow, attempt, job, payload, slices


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this worker now owns under a lease."""

    id: bytes
    n: int
    """The fence: this attempt's number."""
    key_id: bytes
    batch_id: bytes | None
    endpoint: str
    route: str
    route_index: int
    queue: str
    deadline_at_ms: int
    tries: int
    provider_tries: int
    unknowns: int
    crashes: int
    body: bytes = b""
    """The request body; empty until `read_payloads` brought it."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims, for how long, and which deployment stands at a place of a route."""

    worker_id: bytes
    lease_ms: int
    queues: tuple[str, ...]
    """Only what stands in these queues is claimed: a job may have moved since its message was sent."""
    deployment: Callable[[str, int], tuple[str, str]]
    """`(route, route_index) -> (provider, model)`, for the attempt row."""


def claim_jobs(connection: Connection, now_ms: int, claimant: Claimant, job_ids: Sequence[bytes]) -> list[ClaimedJob]:
    """Claim single jobs of one message; those that are not claimable are left out."""
    mine = job.c.id.in_(job_ids) & job.c.slice_id.is_(None) & job.c.queue.in_(claimant.queues)
    return _claim(connection, now_ms, claimant, mine, {})


def claim_slice(connection: Connection, now_ms: int, claimant: Claimant, slice_id: bytes) -> list[ClaimedJob]:
    """Claim every still queued line of a slice; the slice is done with from then on."""
    handed_out = connection.execute(
        update(slices)
        .where(slices.c.id == slice_id, slices.c.claimed_at_ms.is_(None), slices.c.queue.in_(claimant.queues))
        .values(claimed_at_ms=now_ms)
        .returning(slices.c.queue, slices.c.route_index)
    ).first()
    if handed_out is None:
        return []
    chosen = {"queue": handed_out.queue, "route_index": handed_out.route_index}
    return _claim(connection, now_ms, claimant, job.c.slice_id == slice_id, chosen)


def read_payloads(connection: Connection, _now_ms: int, job_ids: Sequence[bytes]) -> dict[bytes, bytes]:
    """Read the request bodies of claimed jobs."""
    rows = connection.execute(select(payload.c.job_id, payload.c.body).where(payload.c.job_id.in_(job_ids)))
    return {row.job_id: bytes(row.body) for row in rows}


def _claim(
    connection: Connection, now_ms: int, claimant: Claimant, mine: ColumnElement[bool], chosen: dict[str, object]
) -> list[ClaimedJob]:
    claimable = (
        mine
        & (job.c.state == JobState.QUEUED)
        & (job.c.not_before_ms <= now_ms)
        & (job.c.deadline_at_ms > now_ms)
        & job.c.cancel_requested_at_ms.is_(None)
    )
    locked = select(job.c.id).where(claimable).order_by(job.c.id).with_for_update(skip_locked=True)
    rows = connection.execute(
        update(job)
        .where(job.c.id.in_(locked), job.c.state == JobState.QUEUED)
        .values(
            state=JobState.IN_PROGRESS,
            attempt=job.c.attempt + 1,
            started_at_ms=func.coalesce(job.c.started_at_ms, now_ms),
            slice_id=null(),
            published_at_ms=null(),
            **chosen,
        )
        .returning(
            job.c.id, job.c.attempt, job.c.key_id, job.c.batch_id, job.c.endpoint, job.c.route, job.c.route_index,
            job.c.queue, job.c.deadline_at_ms, job.c.tries, job.c.provider_tries, job.c.unknowns, job.c.crashes,
        )
    ).all()  # fmt: skip
    if rows:
        _write_attempts(connection, now_ms, claimant, rows)
    return [ClaimedJob(*row) for row in rows]


def _write_attempts(connection: Connection, now_ms: int, claimant: Claimant, rows: Sequence[AnyRow]) -> None:
    lines = []
    for row in rows:
        provider, model = claimant.deployment(row.route, row.route_index)
        lines.append(
            {
                "job_id": row.id,
                "n": row.attempt,
                "key_id": row.key_id,
                "provider": provider,
                "model": model,
                "owner": claimant.worker_id,
                "lease_until_ms": now_ms + claimant.lease_ms,
                "started_at_ms": now_ms,
                "outcome": AttemptOutcome.STARTED,
                "cost_basis": "none",
            }
        )
    connection.execute(insert(attempt), lines)
