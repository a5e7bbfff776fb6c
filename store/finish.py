"""Finishing: a group of attempts ends in one transaction.

The rows are locked in the order of their ids, looked at, and written. A first success wins whatever the fence says;
everything else must match the job's current attempt, or only the attempt's own row is written. Counters, spend and
ledger move in the same transaction, so they are exact, and running a group twice changes nothing the second time.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, tuple_, update

from providers.failure import ErrorClass
from router.lifecycle import JOB_TERMINAL, JobState
from router.outcome import AttemptOutcome
from store.accounting import charge
from store.progress import BatchProgress, record_progress
from store.settlement import Abandoned, Completed, Failed, Requeued, Settlement
from store.tables import AnyRow, attempt, job, result

_SETTLED = {AttemptOutcome.OK, AttemptOutcome.LATE_OK, AttemptOutcome.ERROR, AttemptOutcome.RELEASED}
_Rows = list[dict[str, Any]]


@dataclass(slots=True)
class _Writes:
    """The rows that one group changes, gathered before anything is written."""

    jobs: dict[JobState, _Rows] = field(default_factory=lambda: defaultdict(list))
    results: _Rows = field(default_factory=list)
    late_costs: _Rows = field(default_factory=list)
    settled: list[Settlement] = field(default_factory=list)
    progress: dict[bytes, BatchProgress] = field(default_factory=lambda: defaultdict(BatchProgress))


@dataclass(frozen=True, slots=True)
class Finish:
    """What one group did."""

    states: Counter[JobState]
    """How many jobs went to each state."""
    to_write: bool
    """Whether a batch waits for its files to be written now."""


def finish(connection: Connection, now_ms: int, settlements: Sequence[Settlement]) -> Finish:
    """Write the end of these attempts.

    A job may appear only once in a group. A refused write is normal (a late worker) and raises nothing.
    """
    jobs = _lock(connection, settlements)
    late = _late_outcomes(connection, settlements, jobs)
    writes = _Writes()
    for settlement in settlements:
        before = late.get((settlement.job_id, settlement.n))
        if before not in _SETTLED:
            _decide(writes, settlement, jobs[settlement.job_id], now_ms)
            _count_call(writes, settlement, was_unknown=before == AttemptOutcome.UNKNOWN)
    _write_jobs(connection, writes)
    _write_attempts(connection, now_ms, writes.settled)
    charge(connection, now_ms, writes.settled)
    to_write = record_progress(connection, now_ms, writes.progress)
    return Finish(Counter({state: len(rows) for state, rows in writes.jobs.items()}), to_write)


def _lock(connection: Connection, settlements: Sequence[Settlement]) -> dict[bytes, AnyRow]:
    rows = connection.execute(
        select(job.c.id, job.c.state, job.c.attempt)
        .where(job.c.id.in_([settlement.job_id for settlement in settlements]))
        .order_by(job.c.id)
        .with_for_update()
    )
    return {row.id: row for row in rows}


def _is_current(row: AnyRow, settlement: Settlement) -> bool:
    return bool(row.state == JobState.IN_PROGRESS and row.attempt == settlement.n)


def _late_outcomes(
    connection: Connection, settlements: Sequence[Settlement], jobs: dict[bytes, AnyRow]
) -> dict[tuple[bytes, int], str]:
    """Read how those attempts stand that are no longer their job's current one."""
    late = [(each.job_id, each.n) for each in settlements if not _is_current(jobs[each.job_id], each)]
    if not late:
        return {}
    rows = connection.execute(
        select(attempt.c.job_id, attempt.c.n, attempt.c.outcome).where(tuple_(attempt.c.job_id, attempt.c.n).in_(late))
    )
    return {(row.job_id, row.n): row.outcome for row in rows}


def _decide(writes: _Writes, settlement: Settlement, row: AnyRow, now_ms: int) -> None:
    """Sort one settlement into the rows it changes."""
    current = _is_current(row, settlement)
    cost = settlement.cost_nanousd or 0
    change = {"b_id": settlement.job_id, "b_cost": cost}
    outcome = settlement.outcome
    match settlement.verdict:
        case Completed(body) if row.state not in JOB_TERMINAL:
            writes.jobs[JobState.COMPLETED].append(change | {"b_finished": now_ms})
            writes.results.append({"job_id": settlement.job_id, "attempt_n": settlement.n, "body": body})
        case Requeued() as back if current:
            writes.jobs[JobState.QUEUED].append(change | _requeue(back))
        case Failed(error_class, error_json) if current:
            error = {"b_class": error_class, "b_json": error_json, "b_status": settlement.http_status}
            state = JobState.EXPIRED if error_class == ErrorClass.EXPIRED else JobState.FAILED
            writes.jobs[state].append(change | error | {"b_finished": now_ms})
        case verdict:  # the job went on without this attempt: only the attempt's own row is written
            if isinstance(verdict, Completed):
                outcome = AttemptOutcome.LATE_OK
            if cost:
                writes.late_costs.append(change)
            writes.settled.append(replace(settlement, verdict=Abandoned(), outcome=outcome))
            return
    writes.settled.append(settlement)


def _requeue(back: Requeued) -> dict[str, Any]:
    return {
        "b_queue": back.queue,
        "b_index": back.route_index,
        "b_not_before": back.not_before_ms,
        "b_tries": back.tries,
        "b_provider_tries": back.provider_tries,
        "b_unknowns": back.unknowns,
    }


def _count_call(writes: _Writes, settlement: Settlement, *, was_unknown: bool) -> None:
    """Add what was just decided on a batch line to its batch's counters."""
    if settlement.batch_id is None:
        return
    progress = writes.progress[settlement.batch_id]
    progress.add_call(settlement, was_unknown=was_unknown)
    match writes.settled[-1].verdict:
        case Completed():
            progress.completed += 1
        case Failed():
            progress.failed += 1


def _write_jobs(connection: Connection, writes: _Writes) -> None:
    this = job.c.id == bindparam("b_id")
    cost = {"cost_nanousd": job.c.cost_nanousd + bindparam("b_cost")}
    done = cost | {"reserved_nanousd": 0, "finished_at_ms": bindparam("b_finished")}
    error: dict[str, Any] = {
        "error_class": bindparam("b_class"),
        "error_json": bindparam("b_json"),
        "error_status": bindparam("b_status"),
    }
    values: dict[JobState, dict[str, Any]] = {
        JobState.COMPLETED: done,
        JobState.FAILED: done | error,
        JobState.EXPIRED: done | error,
        JobState.QUEUED: cost
        | {
            "queue": bindparam("b_queue"),
            "route_index": bindparam("b_index"),
            "not_before_ms": bindparam("b_not_before"),
            "tries": bindparam("b_tries"),
            "provider_tries": bindparam("b_provider_tries"),
            "unknowns": bindparam("b_unknowns"),
            "published_at_ms": None,
        },
    }
    for state, rows in writes.jobs.items():
        connection.execute(update(job).where(this).values(state=state, **values[state]), rows)
    if writes.results:
        connection.execute(insert(result), writes.results)
    if writes.late_costs:
        connection.execute(update(job).where(this).values(**cost), writes.late_costs)


def _write_attempts(connection: Connection, now_ms: int, settled: Sequence[Settlement]) -> None:
    columns = ("outcome", "error_class", "http_status", "provider_request_id", "served_model", "cost_nanousd",
               "cost_basis")  # fmt: skip
    tokens = ("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    rows = [
        {"b_id": each.job_id, "b_n": each.n}
        | {column: getattr(each, column) for column in columns}
        | {column: getattr(each.usage, column, None) for column in tokens}
        for each in settled
    ]
    if rows:
        statement = update(attempt).where(attempt.c.job_id == bindparam("b_id"), attempt.c.n == bindparam("b_n"))
        values: dict[str, Any] = {column: bindparam(column) for column in columns + tokens}
        connection.execute(statement.values(ended_at_ms=now_ms, **values), rows)
