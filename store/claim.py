"""Claiming: queued jobs become one worker's, each with its attempt written before any call is made.

One conditional UPDATE claims a whole message. Jobs that are not `queued` (any more) are not returned, so a message
delivered twice costs one UPDATE of no rows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    bindparam,
    func,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.sql import Executable

from router.lifecycle import JobState
from router.outcome import AttemptOutcome, CostBasis
from store.bulk import insert_many, insertion
from store.compiled import Row, fetch
from store.slice_reserved import move_to_lines
from store.tables import attempt, job, payload, slices


class ClaimedJob(NamedTuple):
    """A job that this worker now owns under a lease: the row that the claim returned, and then its body."""

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
    stream: int = 0
    """1: the caller wants the answer in events."""
    reply_to: bytes | None = None
    """The API process that waits for the answer; None when nobody does."""
    priority: int = 0
    """Higher starts first among those that somebody may wait for."""
    tried: int = 0
    """Bit n: the route's deployment n failed it."""
    failover: str | None = None
    """`router.routing.FailoverPolicy`, where the request names one."""
    on_limit: str | None = None
    """`router.routing.OnLimit`, where the request names it."""
    num_retries: int | None = None
    """How many retries the request asks for, see `router.retries`; None where it does not say."""
    moved_for: str | None = None
    """Why it is not where it would have gone first: an error class."""
    claimed_at_ms: int = 0
    """By the database's time; the lease counts from here."""
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


_CLAIMED = (
    job.c.id, job.c.attempt, job.c.key_id, job.c.batch_id, job.c.endpoint, job.c.route, job.c.route_index, job.c.queue,
    job.c.deadline_at_ms, job.c.tries, job.c.provider_tries, job.c.unknowns, job.c.crashes, job.c.stream,
    job.c.reply_to, job.c.priority, job.c.tried, job.c.failover, job.c.on_limit,
    job.c.num_retries, job.c.moved_for,
)  # fmt: skip
_NOW = bindparam("now", type_=BigInteger)
_SERVED: BindParameter[Any] = bindparam("queues", expanding=True)


def _claim_statement(mine: ColumnElement[bool], **chosen: Any) -> Executable:
    claimable = (
        mine
        & (job.c.state == literal_column(f"'{JobState.QUEUED}'"))
        & (job.c.not_before_ms <= _NOW)
        & (job.c.deadline_at_ms > _NOW)
        & job.c.cancel_requested_at_ms.is_(None)
    )
    locked = select(job.c.id).where(claimable).order_by(job.c.id).with_for_update(skip_locked=True)
    return (
        update(job)
        .where(job.c.id.in_(locked))
        .values(
            state=literal_column(f"'{JobState.IN_PROGRESS}'"),
            attempt=job.c.attempt + 1,
            started_at_ms=func.coalesce(job.c.started_at_ms, _NOW),
            slice_id=null(),
            published_at_ms=null(),
            **chosen,
        )
        .returning(*_CLAIMED, _NOW)
    )


_CLAIM_JOBS = _claim_statement(
    job.c.id.in_(bindparam("ids", expanding=True)) & job.c.slice_id.is_(None) & job.c.queue.in_(_SERVED)
)
_CLAIM_LINES = _claim_statement(
    job.c.slice_id == bindparam("slice"),
    queue=bindparam("queue"),
    route_index=bindparam("index"),
    moved_for=bindparam("moved_for"),
)
_TAKE_SLICE = (
    update(slices)
    .where(slices.c.id == bindparam("slice"), slices.c.claimed_at_ms.is_(None), slices.c.queue.in_(_SERVED))
    .values(claimed_at_ms=_NOW)
    .returning(slices.c.queue, slices.c.route_index, slices.c.moved_for, slices.c.batch_id, slices.c.reserved_nanousd)
)
_READ_PAYLOADS = select(payload.c.job_id, payload.c.body).where(payload.c.job_id.in_(bindparam("ids", expanding=True)))
_WRITE_ATTEMPTS = insertion(
    attempt,
    ("job_id", "n", "key_id", "provider", "model"),
    shared=("owner", "lease_until_ms", "started_at_ms", "outcome", "cost_basis"),
)


def claim_jobs(connection: Connection, now_ms: int, claimant: Claimant, job_ids: Sequence[bytes]) -> list[ClaimedJob]:
    """Claim single jobs of one message; those that are not claimable are left out."""
    which = {"ids": job_ids, "queues": claimant.queues, "now": now_ms}
    return _claim(connection, now_ms, claimant, fetch(connection, _CLAIM_JOBS, which))


def claim_whole_jobs(
    connection: Connection, now_ms: int, claimant: Claimant, job_ids: Sequence[bytes]
) -> list[ClaimedJob]:
    """Claim single jobs together with their bodies: one transaction where somebody is waiting."""
    jobs = claim_jobs(connection, now_ms, claimant, job_ids)
    if not jobs:
        return []
    bodies = read_payloads(connection, now_ms, [each.id for each in jobs])
    return [each._replace(body=bodies.get(each.id, b"")) for each in jobs]


def claim_slice(connection: Connection, now_ms: int, claimant: Claimant, slice_id: bytes) -> list[ClaimedJob]:
    """Claim every still queued line of a slice; the slice is done with from then on."""
    which = {"slice": slice_id, "queues": claimant.queues, "now": now_ms}
    taken = fetch(connection, _TAKE_SLICE, which)
    if not taken:
        return []
    queue, index, moved_for, batch_id, reserved_nanousd = taken[0]
    place = {"queue": queue, "index": index, "moved_for": moved_for}
    lines = fetch(connection, _CLAIM_LINES, {"slice": slice_id, "now": now_ms, **place})
    claimed = _claim(connection, now_ms, claimant, lines)
    if reserved_nanousd:
        move_to_lines(connection, now_ms, slice_id, batch_id, reserved_nanousd, [each.id for each in claimed])
    return claimed


def read_payloads(connection: Connection, _now_ms: int, job_ids: Sequence[bytes]) -> dict[bytes, bytes]:
    """Read the request bodies of claimed jobs."""
    return dict(fetch(connection, _READ_PAYLOADS, {"ids": job_ids}))


def write_attempts(connection: Connection, now_ms: int, claimant: Claimant, jobs: Sequence[ClaimedJob]) -> None:
    """Write the attempts of jobs that this transaction claims, each with its lease."""
    rows = [(each.id, each.n, each.key_id, *claimant.deployment(each.route, each.route_index)) for each in jobs]
    started = {
        "owner": claimant.worker_id,
        "lease_until_ms": now_ms + claimant.lease_ms,
        "started_at_ms": now_ms,
        "outcome": AttemptOutcome.STARTED,
        "cost_basis": CostBasis.NONE,
    }
    insert_many(connection, _WRITE_ATTEMPTS, rows, started)


def _claim(connection: Connection, now_ms: int, claimant: Claimant, rows: Iterable[Row]) -> list[ClaimedJob]:
    """Make the claimed rows jobs of the claimant, each with its attempt."""
    jobs = [ClaimedJob(*row) for row in rows]
    write_attempts(connection, now_ms, claimant, jobs)
    return jobs
