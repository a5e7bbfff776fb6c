"""Endings: which of the jobs that somebody waits for have ended, and how."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from router.lifecycle import JOB_TERMINAL, JobState
from router.move import Call, move_of
from store.tables import AnyRow, attempt, job, result

_LAST = func.coalesce(result.c.attempt_n, job.c.attempt)
"""The attempt that gave the answer, else the last one."""
_ENDED = (
    select(
        job.c.id, job.c.state, job.c.attempt, job.c.error_class, job.c.error_status, job.c.error_json,
        job.c.cost_nanousd, attempt.c.provider, attempt.c.model, attempt.c.cost_basis, result.c.body,
        _LAST.label("last"),
    )
    .outerjoin(result, result.c.job_id == job.c.id)
    .outerjoin(attempt, (attempt.c.job_id == job.c.id) & (attempt.c.n == _LAST))
    .where(job.c.id.in_(bindparam("ids", expanding=True)), job.c.state.in_(sorted(JOB_TERMINAL)))
)  # fmt: skip
_CALLS = (
    select(attempt.c.job_id, attempt.c.n, attempt.c.provider, attempt.c.model, attempt.c.error_class)
    .where(attempt.c.job_id.in_(bindparam("ids", expanding=True)))
    .order_by(attempt.c.job_id, attempt.c.n)
)
_MOST = 500


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended, with all that its waiting caller is told."""

    job_id: bytes
    state: JobState
    attempts: int
    body: bytes | None = None
    """The answer; None unless the job completed, and where it is not kept any more."""
    error_class: str | None = None
    error_status: int | None = None
    """The provider's HTTP status; None when no response came."""
    error: bytes | None = None
    """OpenAI's error object {message, type, param, code} as JSON; None where nobody wrote one."""
    provider: str | None = None
    """Who answered, or failed last; None when nobody was called, and where it is not told."""
    model: str | None = None
    """The name that was sent there."""
    reason: str | None = None
    """Why it was not answered by the deployment that it was sent to first: an error class; None when it was."""
    cost_nanousd: int | None = None
    """What is known of the job's cost; None when a part of it is not known."""


def read_endings(connection: Connection, _now_ms: int, job_ids: Sequence[bytes]) -> list[Ending]:
    """Read how those of these jobs ended that have; the others are left out. At most 500 are looked at."""
    rows = connection.execute(_ENDED, {"ids": list(job_ids[:_MOST])}).all()
    reasons = _reasons(connection, {row.id: row.last for row in rows if row.last > 1})
    return [_ending(row, reasons.get(row.id)) for row in rows]


def _reasons(connection: Connection, last: Mapping[bytes, int]) -> dict[bytes, str]:
    """Say why those of these jobs moved that did by their `last` attempt; a reason that nobody wrote is `unknown`."""
    if not last:
        return {}
    calls: dict[bytes, list[Call]] = defaultdict(list)
    for row in connection.execute(_CALLS, {"ids": list(last)}):
        if row.n <= last[row.job_id]:
            calls[row.job_id].append(row)
    moves = {job_id: move_of(made) for job_id, made in calls.items()}
    return {job_id: move.reason or "unknown" for job_id, move in moves.items() if move is not None}


def _ending(row: AnyRow, reason: str | None) -> Ending:
    return Ending(
        job_id=row.id,
        state=JobState(row.state),
        attempts=row.attempt,
        body=row.body,
        error_class=row.error_class,
        error_status=row.error_status,
        error=row.error_json.encode() if row.error_json else None,
        provider=row.provider,
        model=row.model,
        reason=reason,
        cost_nanousd=None if row.cost_basis == "unknown" else row.cost_nanousd,
    )
