"""Finishing: a group of attempts ends in one transaction.

The rows are locked in the order of their ids, looked at, and written. A first success wins whatever the fence says;
everything else must match the job's current attempt, or only the attempt's own row is written. Counters, spend and
ledger move in the same transaction, so they are exact, and running a group twice changes nothing the second time.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, literal_column, null, select, tuple_, update

from providers.failure import ErrorClass
from router.lifecycle import JOB_TERMINAL, JobState
from router.outcome import AttemptOutcome, CostBasis
from router.route_name import asked_model
from store.accounting import charge, is_charged
from store.budgets import ANY_BUDGET
from store.bulk import execute_many, insert_many, insertion
from store.compiled import Row, fetch
from store.events import Ended, job_ended, record
from store.progress import BatchProgress, record_progress
from store.reserved import settle_jobs
from store.settled_attempt import settle_attempts
from store.settlement import Abandoned, Completed, Failed, Requeued, Settlement
from store.spend import SpentCall, add_spend
from store.tables import attempt, job, result

_SETTLED = {AttemptOutcome.OK, AttemptOutcome.LATE_OK, AttemptOutcome.ERROR, AttemptOutcome.RELEASED}
_NOT_ENDED = (AttemptOutcome.STARTED, None, None)
_ENDS_AS = {ErrorClass.EXPIRED: JobState.EXPIRED, ErrorClass.CANCELLED: JobState.CANCELLED}
_Rows = list[dict[str, Any]]

_LOCKED = (
    job.c.id, job.c.state, job.c.attempt, job.c.notify, job.c.route, job.c.key_id, job.c.batch_id, job.c.tags_json,
    job.c.reserved_nanousd, job.c.estimate_nanousd, job.c.leads, ANY_BUDGET,
)  # fmt: skip
_LOCK = select(*_LOCKED).where(job.c.id.in_(bindparam("ids", expanding=True))).order_by(job.c.id).with_for_update()
_THIS_JOB = job.c.id == bindparam("b_id")
_COST = {"cost_nanousd": job.c.cost_nanousd + bindparam("b_cost")}
_END = (
    update(job)
    .where(_THIS_JOB)
    .values(
        state=bindparam("b_state"),
        reserved_nanousd=literal_column("0"),
        finished_at_ms=bindparam("b_finished"),
        error_class=bindparam("b_class"),
        error_json=bindparam("b_json"),
        error_status=bindparam("b_status"),
        **_COST,
    )
)
_REQUEUE = (
    update(job)
    .where(_THIS_JOB)
    .values(
        state=literal_column(f"'{JobState.QUEUED}'"),
        queue=bindparam("b_queue"),
        route_index=bindparam("b_index"),
        not_before_ms=bindparam("b_not_before"),
        tries=bindparam("b_tries"),
        provider_tries=bindparam("b_provider_tries"),
        unknowns=bindparam("b_unknowns"),
        tried=bindparam("b_tried"),
        moved_for=bindparam("b_moved_for"),
        published_at_ms=null(),
        **_COST,
    )
)
_GIVE_BACK = (
    update(job)
    .where(_THIS_JOB)
    .values(
        state=literal_column(f"'{JobState.QUEUED}'"), not_before_ms=bindparam("b_now"), published_at_ms=null(), **_COST
    )
)
_ADD_COST = update(job).where(_THIS_JOB).values(**_COST)
_RESULTS = insertion(result, ("job_id", "attempt_n", "body"))


class _Job(NamedTuple):
    """A locked job's row."""

    id: bytes
    state: str
    attempt: int
    notify: int
    route: str
    key_id: bytes
    batch_id: bytes | None
    tags_json: str | None
    reserved_nanousd: int
    estimate_nanousd: int | None
    leads: int
    any_budget: bool
    """Whether anybody has a budget at all."""


@dataclass(slots=True)
class _Writes:
    """The rows that one group changes, gathered before anything is written."""

    ended: _Rows = field(default_factory=list)
    queued: _Rows = field(default_factory=list)
    given_back: _Rows = field(default_factory=list)
    results: list[Row] = field(default_factory=list)
    late_costs: _Rows = field(default_factory=list)
    settled: list[Settlement] = field(default_factory=list)
    calls: list[SpentCall] = field(default_factory=list)
    """What the settle lines of the ledger add to the sums."""
    events: list[Ended] = field(default_factory=list)
    known: list[Settlement] = field(default_factory=list)
    """Written before: by an earlier try whose commit was not answered, or a settlement that came twice."""
    progress: dict[bytes, BatchProgress] = field(default_factory=lambda: defaultdict(BatchProgress))


@dataclass(frozen=True, slots=True)
class Finish:
    """What one group did."""

    states: Counter[JobState]
    """How many jobs went to each state."""
    to_write: bool
    """Whether a batch waits for its files to be written now."""
    to_send: bool
    """Whether an event waits to be sent to a webhook now."""
    ended: tuple[tuple[Settlement, JobState], ...]
    """The settlements whose jobs have ended and have a waiting caller, each with its job's state. One that did not end
    it itself (another did, or it had been written before) has the verdict `Abandoned`."""
    gave_back: bool
    """Whether budgets have room again: something was set aside for a job that ended."""
    has_twins: bool = False
    """Whether lines wait for the answer of one that ended."""


def finish(connection: Connection, now_ms: int, settlements: Sequence[Settlement]) -> Finish:
    """Write the end of these attempts.

    A job may appear only once in a group. A refused write is normal (a late worker) and raises nothing.
    """
    jobs = _lock(connection, settlements)
    late = _late_ends(connection, settlements, jobs)
    writes = _Writes()
    for settlement in settlements:
        before, ended_at_ms, said = late.get((settlement.job_id, settlement.n), _NOT_ENDED)
        if before in _SETTLED:
            writes.known.append(replace(settlement, verdict=Abandoned()))
            continue
        row = jobs[settlement.job_id]
        _decide(writes, settlement, row, now_ms)
        _count_call(writes, settlement, was_unknown=before == AttemptOutcome.UNKNOWN, has_class=said is not None)
        if is_charged(writes.settled[-1]):
            writes.calls.append(_spent(settlement, row, ended_at_ms))
    _write(connection, now_ms, writes)
    to_send = record(connection, now_ms, writes.events) > 0
    _settle_budgets(connection, now_ms, writes, jobs)
    add_spend(connection, now_ms, writes.calls)
    charge(connection, now_ms, writes.settled)
    to_write = record_progress(connection, now_ms, writes.progress)
    states = Counter(row["b_state"] for row in writes.ended)
    states[JobState.QUEUED] = len(writes.queued) + len(writes.given_back)
    over = [jobs[row["b_id"]] for row in writes.ended]
    gave_back, has_twins = any(row.reserved_nanousd for row in over), any(row.leads for row in over)
    return Finish(states, to_write, to_send, tuple(_ended_now(writes, jobs)), gave_back, has_twins)


def _ended_now(writes: _Writes, jobs: dict[bytes, _Job]) -> Iterator[tuple[Settlement, JobState]]:
    """Pair the settlements that a caller waits for with their jobs' states, where those are over."""
    awaited = [each for each in (*writes.settled, *writes.known) if each.reply_to is not None]
    states = {row["b_id"]: row["b_state"] for row in writes.ended} if awaited else {}
    for settlement in awaited:
        state = states.get(settlement.job_id) or JobState(jobs[settlement.job_id].state)
        if state in JOB_TERMINAL:
            yield settlement, state


def _lock(connection: Connection, settlements: Sequence[Settlement]) -> dict[bytes, _Job]:
    rows = fetch(connection, _LOCK, {"ids": [settlement.job_id for settlement in settlements]})
    return {row[0]: _Job(*row) for row in rows}


def _is_current(row: _Job, settlement: Settlement) -> bool:
    return bool(row.state == JobState.IN_PROGRESS and row.attempt == settlement.n)


def _late_ends(
    connection: Connection, settlements: Sequence[Settlement], jobs: dict[bytes, _Job]
) -> dict[tuple[bytes, int], tuple[str, int | None, str | None]]:
    """Read the outcomes of those attempts that are no longer their job's current one, when they ended and why."""
    late = [(each.job_id, each.n) for each in settlements if not _is_current(jobs[each.job_id], each)]
    if not late:
        return {}
    rows = connection.execute(
        select(attempt.c.job_id, attempt.c.n, attempt.c.outcome, attempt.c.ended_at_ms, attempt.c.error_class).where(
            tuple_(attempt.c.job_id, attempt.c.n).in_(late)
        )
    )
    return {(row.job_id, row.n): (row.outcome, row.ended_at_ms, row.error_class) for row in rows}


def _decide(writes: _Writes, settlement: Settlement, row: _Job, now_ms: int) -> None:
    """Sort one settlement into the rows it changes."""
    current = _is_current(row, settlement)
    cost = settlement.cost_nanousd or 0
    match settlement.verdict:
        case Completed(body, is_incomplete) if row.state not in JOB_TERMINAL:
            _end(writes, settlement, row, _ended(settlement, JobState.COMPLETED, now_ms), is_incomplete=is_incomplete)
            writes.results.append((settlement.job_id, settlement.n, body))
        case Requeued() as back if current:
            writes.queued.append({"b_id": settlement.job_id, "b_cost": cost} | _requeue(back))
        case Failed(error_class, error_json) if current:
            state = _ENDS_AS.get(error_class, JobState.FAILED)
            _end(writes, settlement, row, _ended(settlement, state, now_ms, error_class, error_json))
        case Abandoned() if current:  # nothing else would ever move a job whose attempt has ended
            writes.given_back.append({"b_id": settlement.job_id, "b_cost": cost, "b_now": now_ms})
        case verdict:  # the job went on without this attempt: only the attempt's own row is written
            if isinstance(verdict, Completed):
                settlement = replace(settlement, outcome=AttemptOutcome.LATE_OK)
            if cost:
                writes.late_costs.append({"b_id": settlement.job_id, "b_cost": cost})
            settlement = replace(settlement, verdict=Abandoned())
    writes.settled.append(settlement)


def _end(
    writes: _Writes, settlement: Settlement, row: _Job, ended: dict[str, Any], *, is_incomplete: bool = False
) -> None:
    """End a job, with an event where somebody wants to be told."""
    writes.ended.append(ended)
    if row.notify:
        of = (settlement.key_id, settlement.job_id, ended["b_state"], row.notify)
        writes.events.append(job_ended(*of, is_incomplete=is_incomplete))


def _ended(
    settlement: Settlement,
    state: JobState,
    now_ms: int,
    error_class: ErrorClass | None = None,
    error_json: str | None = None,
) -> dict[str, Any]:
    return {
        "b_id": settlement.job_id,
        "b_state": state,
        "b_cost": settlement.cost_nanousd or 0,
        "b_finished": now_ms,
        "b_class": error_class,
        "b_json": error_json,
        "b_status": settlement.http_status if error_class else None,
    }


def _requeue(back: Requeued) -> dict[str, Any]:
    return {
        "b_queue": back.queue,
        "b_index": back.route_index,
        "b_not_before": back.not_before_ms,
        "b_tries": back.tries,
        "b_provider_tries": back.provider_tries,
        "b_unknowns": back.unknowns,
        "b_tried": back.tried,
        "b_moved_for": back.moved_for,
    }


def _count_call(writes: _Writes, settlement: Settlement, *, was_unknown: bool, has_class: bool) -> None:
    """Add what was just decided on a batch line to its batch's counters; a class that is known counts already."""
    if settlement.batch_id is None:
        return
    progress = writes.progress[settlement.batch_id]
    progress.add_call(settlement, was_unknown=was_unknown)
    progress.add_verdict(writes.settled[-1].verdict, None if has_class else settlement.failure)


def _spent(settlement: Settlement, row: _Job, exposed_at_ms: int | None) -> SpentCall:
    cost = 0 if settlement.cost_basis == CostBasis.NONE else settlement.cost_nanousd
    return SpentCall(
        settlement.key_id, settlement.batch_id, settlement.provider, settlement.model, asked_model(row.route),
        row.tags_json, cost_nanousd=cost, usage=settlement.usage, estimate_nanousd=row.estimate_nanousd or 0,
        exposed_at_ms=exposed_at_ms,
    )  # fmt: skip


def _settle_budgets(connection: Connection, now_ms: int, writes: _Writes, jobs: dict[bytes, _Job]) -> None:
    """Count what the calls cost, and give back what was set aside for the jobs that ended."""
    if any(row.any_budget or row.reserved_nanousd for row in jobs.values()):
        settle_jobs(connection, now_ms, writes.calls, [jobs[row["b_id"]] for row in writes.ended])


def _write(connection: Connection, now_ms: int, writes: _Writes) -> None:
    execute_many(connection, _END, writes.ended)
    execute_many(connection, _REQUEUE, writes.queued)
    execute_many(connection, _GIVE_BACK, writes.given_back)
    insert_many(connection, _RESULTS, writes.results)
    execute_many(connection, _ADD_COST, writes.late_costs)
    settle_attempts(connection, now_ms, writes.settled)
