"""Jobs as their owner sees them, each with its receipt: what was asked, and every call that was made for it."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from providers.completion import Usage
from store.tables import AnyRow, attempt, job, result


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One call to one deployment."""

    n: int
    provider: str
    model: str
    """The name that was sent to the provider."""
    served_model: str | None
    started_at_ms: int
    ended_at_ms: int | None
    outcome: str
    error_class: str | None
    usage: Usage | None
    cost_nanousd: int | None
    """None: not known, or nothing was to be paid."""
    dropped_params: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job, its attempts and its answer."""

    id: bytes
    batch_id: bytes | None
    retry_of: bytes | None
    custom_id: str | None
    endpoint: str
    state: str
    route: str
    created_at_ms: int
    started_at_ms: int | None
    finished_at_ms: int | None
    deadline_at_ms: int
    error_class: str | None
    error: dict[str, Any] | None
    """OpenAI's error object of the final failure."""
    metadata: dict[str, str]
    cost_nanousd: int
    result: bytes | None
    """The answer's body, for as long as it is kept; None unless the job completed."""
    result_attempt_n: int | None
    attempts: tuple[AttemptRow, ...]


def get_job(connection: Connection, _now_ms: int, key_id: bytes, job_id: bytes) -> JobRow | None:
    """Read one job of a key; None when there is none, or it is another key's."""
    query = (
        select(job, result.c.body.label("result_body"), result.c.attempt_n.label("result_n"))
        .outerjoin(result, result.c.job_id == job.c.id)
        .where(job.c.id == job_id, job.c.key_id == key_id)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    attempts = connection.execute(select(attempt).where(attempt.c.job_id == job_id).order_by(attempt.c.n))
    return JobRow(
        id=row.id,
        batch_id=row.batch_id,
        retry_of=row.retry_of,
        custom_id=row.custom_id,
        endpoint=row.endpoint,
        state=row.state,
        route=row.route,
        created_at_ms=row.created_at_ms,
        started_at_ms=row.started_at_ms,
        finished_at_ms=row.finished_at_ms,
        deadline_at_ms=row.deadline_at_ms,
        error_class=row.error_class,
        error=json.loads(row.error_json) if row.error_json else None,
        metadata=json.loads(row.metadata_json) if row.metadata_json else {},
        cost_nanousd=row.cost_nanousd,
        result=row.result_body,
        result_attempt_n=row.result_n,
        attempts=tuple(_attempt(each) for each in attempts),
    )


def _attempt(row: AnyRow) -> AttemptRow:
    usage = None
    if row.prompt_tokens is not None:
        usage = Usage(
            row.prompt_tokens, row.completion_tokens, row.cached_tokens, row.cache_write_tokens, row.reasoning_tokens
        )
    return AttemptRow(
        n=row.n,
        provider=row.provider,
        model=row.model,
        served_model=row.served_model,
        started_at_ms=row.started_at_ms,
        ended_at_ms=row.ended_at_ms,
        outcome=row.outcome,
        error_class=row.error_class,
        usage=usage,
        cost_nanousd=row.cost_nanousd,
        dropped_params=tuple(json.loads(row.dropped_json)) if row.dropped_json else (),
    )
