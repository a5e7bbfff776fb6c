"""Endings: which of the jobs that somebody waits for have ended, and how."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson
from sqlalchemy import Connection, bindparam, func, select

from providers.failure import ErrorClass
from router.lifecycle import JOB_TERMINAL, JobState
from store.sealing import CannotOpen, Sealer, answer_of
from store.tables import AnyRow, attempt, job, result

_LAST = func.coalesce(result.c.attempt_n, job.c.attempt)
"""The attempt that gave the answer, else the last one."""
_ENDED = (
    select(
        job.c.id, job.c.state, job.c.attempt, job.c.error_class, job.c.error_status, job.c.error_json,
        job.c.cost_nanousd, job.c.moved_for, attempt.c.provider, attempt.c.model, attempt.c.cost_basis, result.c.body,
        result.c.attempt_n,
    )
    .outerjoin(result, result.c.job_id == job.c.id)
    .outerjoin(attempt, (attempt.c.job_id == job.c.id) & (attempt.c.n == _LAST))
    .where(job.c.id.in_(bindparam("ids", expanding=True)), job.c.state.in_(sorted(JOB_TERMINAL)))
)  # fmt: skip
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
    """Why it was not answered where it would have gone first: an error class; None when it was."""
    cost_nanousd: int | None = None
    """What is known of the job's cost; None when a part of it is not known."""


def read_endings(connection: Connection, _now_ms: int, job_ids: Sequence[bytes]) -> list[Ending]:
    """Read how those of these jobs ended that have; the others are left out. At most 500 are looked at."""
    rows = connection.execute(_ENDED, {"ids": list(job_ids[:_MOST])})
    return [_ending(row) for row in rows]


def opened(ending: Ending, sealer: Sealer) -> Ending:
    """Read the answer of an ending, which may be sealed. One that cannot be read is told as a failure."""
    if ending.body is None:
        return ending
    try:
        body = sealer.open(ending.body, answer_of(ending.job_id))
    except CannotOpen as error:
        said = orjson.dumps({"message": str(error), "type": "server_error", "param": None, "code": error.code})
        return replace(
            ending, state=JobState.FAILED, body=None, error_class=ErrorClass.INTERNAL, error_status=None, error=said
        )
    return ending if body is ending.body else replace(ending, body=body)


def _ending(row: AnyRow) -> Ending:
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
        reason=None if row.attempt_n is not None and row.attempt_n < row.attempt else row.moved_for,  # a late answer
        cost_nanousd=None if row.cost_basis == "unknown" else row.cost_nanousd,
    )
