"""Leases: a worker renews those of its running attempts; attempts whose lease ran out are rescued by any worker.

The lease is on the attempt, and the rescue walks attempts whatever their job's state: a late success may have closed
the job while a newer attempt's worker died, and that attempt's cost must not vanish.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from providers.failure import ErrorClass
from router.lifecycle import JobState
from router.outcome import AttemptOutcome, CostBasis
from router.route_name import asked_model
from store.accounting import exposure_line, write_settle_lines
from store.ended_job import EndedJob
from store.events import job_ended, record
from store.progress import BatchProgress, record_progress
from store.reserved import settle_jobs
from store.spend import SpentCall, add_spend
from store.tables import AnyRow, attempt, job, worker
from store.waiting import lapsed_attempt, running_attempt

WATCHED_CRASHES = 1
"""From here on a job's calls are written down right before they are made, and only a death in such a call counts."""
SUSPECT_CRASHES = 2
"""From here on a job is a suspect: a process runs few of them at a time, and the more they crashed the fewer."""
PAUSED_CRASHES = 3
"""From here on a job is left alone for a while before it is tried again."""
POISON_CRASHES = 5
"""One crash for being there, one in its call, two among ever fewer suspects and one alone: it fails as `poison`."""
NOBODY = bytes(16)
"""The owner of an attempt whose worker gave it up."""
_LIMIT = 500
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker says of itself when it renews."""

    id: bytes
    host: str
    queues_json: str
    room: int
    in_flight: int
    version: str


@dataclass(frozen=True, slots=True)
class Renewal:
    """What the worker still owns, and which of it nobody needs any more."""

    now_ms: int
    held: frozenset[tuple[bytes, int]]
    """(job id, n) of the attempts that are still this worker's."""
    unwanted: frozenset[bytes]
    """Jobs among them that have ended meanwhile: their calls are to be cut."""


def renew(connection: Connection, now_ms: int, state: WorkerState, lease_ms: int) -> Renewal:
    """Renew all leases of this worker and its `worker` row."""
    say_alive(connection, now_ms, state)
    mine = (attempt.c.owner == state.id) & running_attempt()
    # Locked in the order in which a finish group locks them, so that the two never wait for each other.
    locked = select(attempt.c.job_id, attempt.c.n).where(mine).order_by(attempt.c.job_id, attempt.c.n).with_for_update()
    rows = connection.execute(
        update(attempt)
        .where(tuple_(attempt.c.job_id, attempt.c.n).in_(locked), mine)
        .values(lease_until_ms=now_ms + lease_ms)
        .returning(attempt.c.job_id, attempt.c.n)
    ).all()
    ended = connection.execute(
        select(attempt.c.job_id)
        .join(job, job.c.id == attempt.c.job_id)
        .where(
            attempt.c.owner == state.id,
            running_attempt(),
            job.c.state != JobState.IN_PROGRESS,
        )
    ).scalars()
    return Renewal(now_ms, frozenset((row.job_id, row.n) for row in rows), frozenset(ended))


def disown(connection: Connection, _now_ms: int, worker_id: bytes, attempts: Sequence[tuple[bytes, int]]) -> None:
    """Give up the leases of attempts that their own worker knows nothing of, so that the next rescue takes them."""
    connection.execute(
        update(attempt)
        .where(
            tuple_(attempt.c.job_id, attempt.c.n).in_(attempts),
            attempt.c.owner == worker_id,
            running_attempt(),
        )
        .values(owner=NOBODY, lease_until_ms=0)
    )


def say_alive(connection: Connection, now_ms: int, state: WorkerState) -> None:
    """Insert or refresh the worker's row."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    said = {"room": state.room, "in_flight": state.in_flight, "queues_json": state.queues_json, "seen_at_ms": now_ms}
    connection.execute(
        dialect.insert(worker)
        .values(id=state.id, host=state.host, version=state.version, started_at_ms=now_ms, **said)
        .on_conflict_do_update(index_elements=["id"], set_=said)
    )


def count_living(connection: Connection, now_ms: int, within_ms: int) -> int:
    """Count the processes that make calls and were heard of lately."""
    return connection.execute(select(func.count()).where(worker.c.seen_at_ms > now_ms - within_ms)).scalar_one()


def forget_workers(connection: Connection, now_ms: int) -> None:
    """Delete the rows of workers that nobody has heard of for a day."""
    connection.execute(delete(worker).where(worker.c.seen_at_ms < now_ms - _DAY_MS))


@dataclass(frozen=True, slots=True)
class Rescue:
    """What became of the jobs that dead workers held."""

    requeued: list[bytes]
    poisoned: list[EndedJob]


def rescue(connection: Connection, now_ms: int, jitter_ms: int, pause_ms: int = 0) -> Rescue:
    """Take back what dead workers held. Safe to run anywhere, any time.

    Every attempt past its lease ends as `unknown`. Its job, if it still waits for that attempt, is queued as a single
    job not before `now + jitter_ms`, or fails as `poison` when it has brought down its worker too often. A job that is
    close to that waits longer, `pause_ms` and then twice that, to outlive what kills workers for other reasons.
    """
    lapsed = lapsed_attempt(now_ms)
    found = connection.execute(select(attempt.c.job_id).where(lapsed).limit(_LIMIT)).scalars()
    jobs = _lock_jobs(connection, list(found))
    if not jobs:
        return Rescue([], [])
    rows = connection.execute(
        select(attempt.c.job_id, attempt.c.n, attempt.c.key_id, attempt.c.watched, attempt.c.provider, attempt.c.model)
        .where(lapsed, attempt.c.job_id.in_(jobs))
        .order_by(attempt.c.job_id)
        .with_for_update()
    ).all()
    if not rows:
        return Rescue([], [])
    held = [(jobs[row.job_id], row) for row in rows if _still_waits(jobs[row.job_id], row.n)]
    counted = {held_job.id for held_job, row in held if held_job.crashes < WATCHED_CRASHES or row.watched}
    poisoned = [held_job for held_job, _ in held if held_job.id in counted and held_job.crashes + 1 >= POISON_CRASHES]
    ended = {held_job.id for held_job in poisoned}
    exposed = [_exposed(row, jobs[row.job_id]) for row in rows]
    settle_jobs(connection, now_ms, exposed, poisoned)
    add_spend(connection, now_ms, exposed)
    _end_attempts(connection, now_ms, rows, jobs)
    rescued = [held_job for held_job, _ in held if held_job.id not in ended]
    _requeue(connection, now_ms + jitter_ms, [(each, int(each.id in counted)) for each in rescued], pause_ms)
    _fail_poisoned(connection, now_ms, poisoned)
    _count(connection, now_ms, [jobs[row.job_id] for row in rows], poisoned)
    return Rescue(
        [each.id for each in rescued],
        [EndedJob(row.id, row.attempt, row.reply_to, was_running=False) for row in poisoned],
    )


def mark_watched(connection: Connection, _now_ms: int, job_id: bytes, n: int) -> None:
    """Note that a watched job's call is about to be made; one that only waits has no part in its worker's end."""
    connection.execute(update(attempt).where(attempt.c.job_id == job_id, attempt.c.n == n).values(watched=1))


def _lock_jobs(connection: Connection, job_ids: Sequence[bytes]) -> dict[bytes, AnyRow]:
    """Lock these jobs, before their attempts as `store.finish` does; those that it is ending just now are left out."""
    rows = connection.execute(
        select(
            job.c.id,
            job.c.state,
            job.c.attempt,
            job.c.crashes,
            job.c.batch_id,
            job.c.reply_to,
            job.c.key_id,
            job.c.notify,
            job.c.route,
            job.c.tags_json,
            job.c.reserved_nanousd,
            job.c.estimate_nanousd,
        )
        .where(job.c.id.in_(job_ids))
        .order_by(job.c.id)
        .with_for_update(skip_locked=True)
    )
    return {row.id: row for row in rows}


def _still_waits(row: AnyRow, n: int) -> bool:
    return bool(row.state == JobState.IN_PROGRESS and row.attempt == n)


def _end_attempts(connection: Connection, now_ms: int, rows: Sequence[AnyRow], jobs: dict[bytes, AnyRow]) -> None:
    statement = update(attempt).where(attempt.c.job_id == bindparam("b_id"), attempt.c.n == bindparam("b_n"))
    connection.execute(
        statement.values(outcome=AttemptOutcome.UNKNOWN, ended_at_ms=now_ms, cost_basis=CostBasis.UNKNOWN),
        [{"b_id": row.job_id, "b_n": row.n} for row in rows],
    )
    write_settle_lines(
        connection, [exposure_line(row.job_id, row.n, row.key_id, jobs[row.job_id].batch_id, now_ms) for row in rows]
    )


def _exposed(row: AnyRow, of: AnyRow) -> SpentCall:
    return SpentCall(
        row.key_id, of.batch_id, row.provider, row.model, asked_model(of.route), of.tags_json,
        cost_nanousd=None, usage=None, estimate_nanousd=of.estimate_nanousd or 0,
    )  # fmt: skip


def _requeue(connection: Connection, from_ms: int, blamed: Sequence[tuple[AnyRow, int]], pause_ms: int) -> None:
    """Queue jobs again, each with the crashes that it is blamed for now: one or none."""
    by_fate: dict[tuple[int, int], list[bytes]] = defaultdict(list)
    for row, crashes in blamed:
        doublings = row.crashes + crashes - PAUSED_CRASHES
        by_fate[crashes, pause_ms << doublings if crashes and doublings >= 0 else 0].append(row.id)
    for (crashes, paused_ms), job_ids in by_fate.items():
        connection.execute(
            update(job)
            .where(job.c.id.in_(job_ids))
            .values(
                state=JobState.QUEUED,
                crashes=job.c.crashes + crashes,
                not_before_ms=from_ms + paused_ms,
                published_at_ms=None,
            )
        )


def _fail_poisoned(connection: Connection, now_ms: int, rows: Sequence[AnyRow]) -> None:
    if rows:
        connection.execute(
            update(job)
            .where(job.c.id.in_([row.id for row in rows]))
            .values(
                state=JobState.FAILED,
                crashes=job.c.crashes + 1,
                reserved_nanousd=0,
                finished_at_ms=now_ms,
                error_class=ErrorClass.POISON,
                error_json=POISON_ERROR,
            )
        )
        told = [job_ended(row.key_id, row.id, JobState.FAILED, row.notify) for row in rows if row.notify]
        record(connection, now_ms, told)


POISON_ERROR = (
    '{"message":"The worker running this request died each of the times it was tried, the last time with it as '
    'the only suspect. It is not tried again.","type":"server_error","param":null,"code":"poison"}'
)


def _count(connection: Connection, now_ms: int, ended: Sequence[AnyRow], poisoned: Sequence[AnyRow]) -> None:
    progress: dict[bytes, BatchProgress] = defaultdict(BatchProgress)
    for row in ended:
        if row.batch_id is not None:
            progress[row.batch_id].unpriced += 1
    for row in poisoned:
        if row.batch_id is not None:
            progress[row.batch_id].add_failed(ErrorClass.POISON, POISON_ERROR)
    record_progress(connection, now_ms, progress)
