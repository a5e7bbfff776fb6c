"""Loading: a batch's lines become slices, jobs and payloads, in chunks that each are one transaction.

The file is checked as a whole first; only then the first line is written. A loader that dies is followed by one that
goes on after the `loaded` lines that were committed. Lines of a batch that is closing meanwhile are written as ended,
so that every line of the file has its job.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, case, insert, update

from providers.failure import ErrorClass
from router.lifecycle import BatchStatus, JobState
from store.bulk import insert_many, insertion
from store.compiled import Row, fetch
from store.events import batch_ended, record
from store.ids import new_id
from store.keeping import KeptBatch
from store.progress import BatchProgress, record_progress
from store.tables import batch, job, payload, slices
from store.twins import lock_leaders

_SLICE_BYTES = 4 << 20

_OF_LINE = ("id", "line_no", "custom_id", "route", "queue", "failover", "estimate_nanousd")
_OF_BATCH = ("key_id", "batch_id", "endpoint", "tags_json", "state", "created_at_ms", "deadline_at_ms")
_INSERT_QUEUED = insertion(job, (*_OF_LINE, "slice_id"), shared=_OF_BATCH)
_INSERT_TWINS = insertion(job, (*_OF_LINE, "slice_id", "twin_of"), shared=_OF_BATCH)
_INSERT_FAILED = insertion(
    job, (*_OF_LINE, "error_class", "error_status", "error_json"), shared=(*_OF_BATCH, "finished_at_ms")
)
_INSERT_ENDED = insertion(job, _OF_LINE, shared=(*_OF_BATCH, "error_class", "finished_at_ms"))
_INSERT_PAYLOAD = insertion(payload, ("job_id", "body"))
_TAKE_LINES = (
    update(batch)
    .where(
        batch.c.id == bindparam("kept"),
        batch.c.keeper == bindparam("worker"),
        batch.c.loaded == bindparam("before", type_=BigInteger),
    )
    .values(loaded=bindparam("after", type_=BigInteger))
    .returning(batch.c.closing)
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line has failed before it could be handed out."""

    error_class: ErrorClass
    status: int
    """The HTTP status that says so."""
    error_json: str
    """In OpenAI's shape, as the errors of calls are stored."""


class Line(NamedTuple):
    """One request of a batch's input file, checked."""

    id: bytes
    """Its job's."""
    number: int
    """1-based among the requests of the file."""
    custom_id: str
    route: str
    queue: str
    """Where it is planned to go; hand-out chooses."""
    body: bytes
    failover: str | None = None
    """`router.routing.FailoverPolicy`; None leaves it to the route."""
    estimate_nanousd: int | None = None
    """What is set aside for it under a budget; None where its price is not known."""
    fault: Fault | None = None
    """Set: it has failed already, and only its row is written."""
    leader: int | None = None
    """Set: the number of the line before it whose call answers it; it has no body then."""


def accept(
    connection: Connection, now_ms: int, batch_id: bytes, worker_id: bytes, *, total: int, model: str | None
) -> bool:
    """Record that the input is good: the batch is `in_progress` from here on, or still `cancelling`.

    Returns False when another worker keeps the batch now.
    """
    validating = batch.c.status == BatchStatus.VALIDATING
    return bool(
        connection.execute(
            update(batch)
            .where(batch.c.id == batch_id, batch.c.keeper == worker_id, batch.c.validated_at_ms.is_(None))
            .values(
                total=total,
                model=model,
                validated_at_ms=now_ms,
                status=case((validating, BatchStatus.IN_PROGRESS), else_=batch.c.status),
                in_progress_at_ms=case((validating, now_ms), else_=None),
            )
        ).rowcount
    )


def reject(connection: Connection, now_ms: int, batch_id: bytes, worker_id: bytes, errors_json: str) -> bool:
    """Record that the input cannot be used: the batch has `failed`, or was `cancelled` before anybody knew."""
    validating = batch.c.status == BatchStatus.VALIDATING
    ended = connection.execute(
        update(batch)
        .where(batch.c.id == batch_id, batch.c.keeper == worker_id, batch.c.validated_at_ms.is_(None))
        .values(
            errors_json=errors_json,
            validated_at_ms=now_ms,
            status=case((validating, BatchStatus.FAILED), else_=BatchStatus.CANCELLED),
            failed_at_ms=case((validating, now_ms), else_=None),
            cancelled_at_ms=case((validating, None), else_=now_ms),
        )
        .returning(batch.c.key_id, batch.c.status)
    ).first()
    if ended is None:
        return False
    record(connection, now_ms, [batch_ended(ended.key_id, batch_id, BatchStatus(ended.status))])
    return True


def load_chunk(
    connection: Connection, now_ms: int, kept: KeptBatch, worker_id: bytes, lines: Sequence[Line], slice_jobs: int
) -> bool:
    """Write the next lines of a batch.

    Returns False when another worker keeps it now, or these are not the next lines (any more); nothing was written.
    """
    leaders = lock_leaders(connection, kept.id, {line.leader for line in lines if line.leader is not None})
    before = lines[0].number - 1
    these = {"kept": kept.id, "worker": worker_id, "before": before, "after": before + len(lines)}
    taken = fetch(connection, _TAKE_LINES, these)
    if not taken:
        return False
    closing = taken[0][0]
    if closing is not None:
        _write_ended(connection, now_ms, kept, lines, closing)
        return True
    called = [line for line in lines if line.fault is None and line.leader is None]
    if called:
        _write_slices(connection, now_ms, kept, called, slice_jobs)
    if any(line.leader is not None for line in lines):
        _write_twins(connection, now_ms, kept, lines, leaders)
    if any(line.fault is not None for line in lines):
        _write_failed(connection, now_ms, kept, lines)
    return True


def _write_slices(connection: Connection, now_ms: int, kept: KeptBatch, lines: Sequence[Line], slice_jobs: int) -> None:
    alike: dict[tuple[str, str, str | None], list[Line]] = defaultdict(list)
    for line in lines:
        alike[line.route, line.queue, line.failover].append(line)
    slice_rows: list[dict[str, Any]] = []
    job_rows: list[Row] = []
    for part in (part for group in alike.values() for part in _parts(group, slice_jobs)):
        slice_id = new_id()
        slice_rows.append(_slice_row(kept, slice_id, part))
        job_rows += [(*_of_line(line), slice_id) for line in part]
    connection.execute(insert(slices), slice_rows)
    insert_many(connection, _INSERT_QUEUED, job_rows, _of_batch(now_ms, kept, JobState.QUEUED))
    insert_many(connection, _INSERT_PAYLOAD, [(line.id, line.body) for line in lines])


def cut_short(connection: Connection, now_ms: int, batch_id: bytes, worker_id: bytes, errors_json: str) -> None:
    """Settle for the lines that are loaded: the rest of the input cannot be read any more. The batch can end then."""
    kept = connection.execute(
        update(batch)
        .where(batch.c.id == batch_id, batch.c.keeper == worker_id)
        .values(total=batch.c.loaded, errors_json=errors_json)
    ).rowcount
    if kept:
        record_progress(connection, now_ms, {batch_id: BatchProgress()})


def _parts(lines: list[Line], size: int) -> list[list[Line]]:
    """Cut into slices of at most `size` lines, and of few lines where their bodies are large."""
    parts: list[list[Line]] = []
    room_bytes = 0
    for line in lines:
        if not parts or len(parts[-1]) == size or len(line.body) > room_bytes:
            parts.append([])
            room_bytes = _SLICE_BYTES
        parts[-1].append(line)
        room_bytes -= len(line.body)
    return parts


def _slice_row(kept: KeptBatch, slice_id: bytes, part: Sequence[Line]) -> dict[str, Any]:
    """The row of a slice; its lines are alike in route, queue and failover."""
    return {
        "id": slice_id,
        "key_id": kept.key_id,
        "batch_id": kept.id,
        "route": part[0].route,
        "route_index": 0,
        "queue": part[0].queue,
        "jobs": len(part),
        "failover": part[0].failover,
        "estimate_nanousd": _sum([line.estimate_nanousd for line in part]),
    }


def _sum(estimates: Sequence[int | None]) -> int | None:
    known = [each for each in estimates if each is not None]
    return sum(known) if len(known) == len(estimates) else None


def _write_ended(connection: Connection, now_ms: int, kept: KeptBatch, lines: Sequence[Line], closing: str) -> None:
    state = JobState.CANCELLED if closing == BatchStatus.CANCELLED else JobState.EXPIRED
    error_class = ErrorClass.CANCELLED if state == JobState.CANCELLED else ErrorClass.EXPIRED
    shared = _of_batch(now_ms, kept, state) | {"error_class": error_class, "finished_at_ms": now_ms}
    insert_many(connection, _INSERT_ENDED, [_of_line(line) for line in lines], shared)
    progress = BatchProgress()
    progress.add_failed(error_class, lines=len(lines))
    record_progress(connection, now_ms, {kept.id: progress})


def _write_twins(
    connection: Connection, now_ms: int, kept: KeptBatch, lines: Sequence[Line], leaders: Mapping[int, bytes]
) -> None:
    """Write those of the lines that wait for the end of another one: of these, or of `leaders`, which are locked."""
    ids = {**leaders, **{line.number: line.id for line in lines}}
    pairs = [(line, ids[line.leader]) for line in lines if line.leader is not None]
    rows = [(*_of_line(line), leader_id, leader_id) for line, leader_id in pairs]
    insert_many(connection, _INSERT_TWINS, rows, _of_batch(now_ms, kept, JobState.QUEUED))
    connection.execute(update(job).where(job.c.id.in_({leader_id for _, leader_id in pairs})).values(leads=1))


def _write_failed(connection: Connection, now_ms: int, kept: KeptBatch, lines: Sequence[Line]) -> None:
    """Write those of the lines that have failed already."""
    rows: list[Row] = []
    progress = BatchProgress()
    for line in lines:
        if fault := line.fault:
            progress.add_failed(fault.error_class, fault.error_json)
            rows.append((*_of_line(line), fault.error_class, fault.status, fault.error_json))
    insert_many(connection, _INSERT_FAILED, rows, _of_batch(now_ms, kept, JobState.FAILED) | {"finished_at_ms": now_ms})
    record_progress(connection, now_ms, {kept.id: progress})


def _of_line(line: Line) -> Row:
    """The columns of `_OF_LINE`."""
    id_, number, custom_id, route, queue, _, failover, estimate_nanousd, _, _ = line
    return id_, number, custom_id, route, queue, failover, estimate_nanousd


def _of_batch(now_ms: int, kept: KeptBatch, state: JobState) -> dict[str, Any]:
    """The columns of `_OF_BATCH`."""
    return {
        "key_id": kept.key_id,
        "batch_id": kept.id,
        "endpoint": kept.endpoint,
        "tags_json": kept.tags_json,
        "state": state,
        "created_at_ms": now_ms,
        "deadline_at_ms": kept.expires_at_ms,
    }
