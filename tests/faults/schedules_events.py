"""What can happen next to the one job of an enumeration, and what is said of its state when time is left out.

Workers are interchangeable here: a message goes to whichever of the two is not the last one that claimed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection

from router.lifecycle import BATCH_TERMINAL, JOB_TERMINAL, BatchStatus, JobEvent, JobState
from store.keeping import Chore
from store.messages import JobsMessage, Message, SliceMessage
from tests.faults.schedules_rows import LEASE_MS
from tests.faults.schedules_world import GRACE_MS, RETRY_MS, Call, Report, World

Happening = Callable[[World, Connection], object]
Rows = Mapping[str, tuple[tuple[Any, ...], ...]]
Record = Mapping[str, Any]

REQUEUES = frozenset({Report.RETRY, Report.MOVE, Report.RELEASE, Report.INTERRUPT, Report.CUT})
ENDS = frozenset({Report.OK, Report.UNPRICED, Report.FAIL, Report.EXPIRE})
LATE_REPORTS = frozenset({Report.OK, Report.RETRY, Report.MOVE, Report.FAIL, Report.RELEASE, Report.CUT})
BRIEF = frozenset({Report.OK, Report.RETRY, Report.MOVE, Report.FAIL})
"""One of each kind."""

_BACK = frozenset({JobEvent.RETRY, JobEvent.RELEASE})
MEANING: Mapping[str, frozenset[JobEvent]] = {
    "deliver": frozenset({JobEvent.CLAIM}),
    Report.OK: frozenset({JobEvent.SUCCEED}),
    Report.UNPRICED: frozenset({JobEvent.SUCCEED}),
    Report.RETRY: _BACK,
    Report.MOVE: _BACK,
    Report.RELEASE: _BACK,
    Report.INTERRUPT: _BACK,
    Report.CUT: _BACK,
    Report.FAIL: frozenset({JobEvent.FAIL}),
    Report.EXPIRE: frozenset({JobEvent.EXPIRE}),
    "rescue": frozenset({JobEvent.RESCUE, JobEvent.FAIL}),
    "deadline": frozenset({JobEvent.EXPIRE}),
    "expire": frozenset({JobEvent.EXPIRE}),
    "close": frozenset({JobEvent.CANCEL, JobEvent.EXPIRE}),
    "cut_lines": frozenset({JobEvent.CANCEL, JobEvent.EXPIRE}),
}
"""Which events of router.lifecycle each happening may be for the job; those not named may not move it."""


@dataclass(frozen=True, slots=True)
class View:
    """The one job of an enumeration as the tables hold it; missing rows are None."""

    job: Record | None
    batch: Record | None
    slice: Record | None
    attempts: tuple[Record, ...]
    epoch: str | None

    @property
    def state(self) -> JobState | None:
        return JobState(self.job["state"]) if self.job else None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be done by anybody."""
        if self.batch and self.batch["status"] not in BATCH_TERMINAL:
            return False
        settled = all(each["outcome"] != "started" for each in self.attempts)
        return settled and (self.job is None or self.state in JOB_TERMINAL) and bool(self.job or self.batch)


def shape(view: View, world: World) -> tuple[Any, ...]:
    """All that decides what may follow: two states of the same shape have the same future.

    Times count only as passed or not passed. An attempt that is settled with nobody left to speak of it is history, and
    so are the queue and its messages once the job has ended.
    """
    now, job, batch, slice_ = world.now_ms, view.job, view.batch, view.slice
    over = view.state in JOB_TERMINAL
    live = {call.job.n for call in world.calls}
    return (
        job and (job["state"], not over and (job["attempt"], job["crashes"], job["queue"],
                 job["published_at_ms"] is None, job["slice_id"] is None, job["not_before_ms"] <= now,
                 job["deadline_at_ms"] <= now)),
        tuple((each["n"], each["outcome"], each["watched"], each["lease_until_ms"] < now, each["n"] in live)
              for each in view.attempts if each["n"] in live or each["outcome"] == "started"),
        batch and (batch["status"], batch["closing"], batch["loaded"], batch["validated_at_ms"] is None,
                   batch["expires_at_ms"] <= now, _cut_from_ms(batch) <= now),
        None if over else (
            slice_ and (slice_["published_at_ms"] is None, slice_["claimed_at_ms"] is None),
            view.epoch == str(world.life),
            tuple(name for name, _ in _kinds(world)),
        ),
    )  # fmt: skip


def happenings(
    view: View, world: World, *, attempts: int, losses: bool, brief: bool
) -> Iterator[tuple[str, Happening]]:
    """Name and do everything that may happen next.

    A job is put back only while it has claims left of `attempts`, so that the space is finite. With `losses` single
    messages, and processes between a commit and what follows it, may vanish and are found by age; without them Redis
    may be emptied as a whole, which the epoch alone must mend. A `brief` one leaves out what a longer one showed of a
    job already: reports that differ in money only, and duplicates of messages other than a slice's.
    """
    if view.batch is not None:
        yield from _of_batch(view.batch, world)
    if view.job is None:
        return
    late: bool = view.job["deadline_at_ms"] <= world.now_ms
    more = view.job["attempt"] < attempts or late
    yield from _of_queue(view, view.job, world, losses=losses)
    yield from _of_messages(view, world, may_crash=losses and view.job["attempt"] + 1 < attempts, brief=brief)
    if losses:
        for name, message in _kinds(world):
            yield f"lose {name}", partial(World.lose_message, message=message)
    for call in world.calls:
        yield from _of_call(view, call, more=more, brief=brief)
    if any(each["outcome"] == "started" for each in view.attempts) and (more or view.state in JOB_TERMINAL):
        yield "rescue", lambda world, connection: _later(world, LEASE_MS + 1).rescue(connection)
    if view.job["state"] == JobState.QUEUED and view.job["not_before_ms"] > world.now_ms:
        yield "wait", lambda world, _: _later(world, RETRY_MS)
    if view.batch is None and not late and view.state not in JOB_TERMINAL:
        yield "deadline", lambda world, connection: _at(world, view.job, "deadline_at_ms").expire(connection)
    if view.batch is None and late and view.state not in JOB_TERMINAL:
        yield "expire", lambda world, connection: world.expire(connection)


def _of_queue(view: View, job: Record, world: World, *, losses: bool) -> Iterator[tuple[str, Happening]]:
    single = job["state"] == JobState.QUEUED and job["slice_id"] is None
    open_slice = view.slice is not None and view.slice["claimed_at_ms"] is None
    waiting = job if single else view.slice if open_slice else None
    if waiting is not None and waiting["published_at_ms"] is None:
        yield "hand_out", lambda world, connection: world.hand_out(connection, waiting["queue"])
        if losses:
            yield "hand_out, crash", lambda world, connection: world.hand_out(connection, waiting["queue"], sent=False)
    elif waiting is not None and losses and not world.messages:
        yield "resend", lambda world, connection: world.resend(connection, waiting["queue"], world.now_ms + 1)
    if world.messages and not losses:
        yield "flush", lambda world, connection: world.flush(connection)
    if view.epoch != str(world.life):
        yield "notice", lambda world, connection: world.notice_life(connection)


def _of_messages(view: View, world: World, *, may_crash: bool, brief: bool) -> Iterator[tuple[str, Happening]]:
    last = view.attempts[-1]["owner"] if view.attempts else None
    worker = next(each for each in world.workers if each != last)
    for name, message in _kinds(world):
        deliver = partial(World.deliver, message=message, worker=worker)
        yield f"deliver {name}", deliver
        if not brief or isinstance(message, SliceMessage):
            yield f"deliver {name} again", partial(deliver, again=True)
        if may_crash:
            yield f"deliver {name}, crash", partial(deliver, survives=False)


def _of_call(view: View, call: Call, *, more: bool, brief: bool) -> Iterator[tuple[str, Happening]]:
    current = view.state == JobState.IN_PROGRESS and view.job is not None and view.job["attempt"] == call.job.n
    reports = (ENDS | REQUEUES if more else ENDS) if current else LATE_REPORTS
    for report in sorted(reports & BRIEF if brief else reports):
        yield f"{report} {call.job.n}", partial(World.report, ends=((call, report),))
    if more or not current:
        yield f"forget {call.job.n}", lambda world, _: world.lose(call)


def _of_batch(batch: Record, world: World) -> Iterator[tuple[str, Happening]]:
    worker, status = world.workers[0], batch["status"]
    if status in (BatchStatus.VALIDATING, BatchStatus.CANCELLING) and batch["validated_at_ms"] is None:
        yield "accept", lambda world, connection: world.accept(connection, _kept(world, connection, Chore.VALIDATE))
        yield (
            "reject",
            lambda world, connection: world.accept(connection, _kept(world, connection, Chore.VALIDATE), good=False),
        )
    elif status in (BatchStatus.IN_PROGRESS, BatchStatus.CANCELLING) and batch["loaded"] < batch["total"]:
        yield "load", lambda world, connection: world.load(connection, _kept(world, connection, Chore.LOAD), 1)
    if status in (BatchStatus.VALIDATING, BatchStatus.IN_PROGRESS):
        yield "cancel", lambda world, connection: world.cancel(connection, batch["id"])
    if status == BatchStatus.IN_PROGRESS and not batch["closing"]:
        yield "window", lambda world, connection: _at(world, batch, "expires_at_ms").expire(connection)
    if batch["closing"] and status not in BATCH_TERMINAL:
        yield "close", lambda world, connection: world.close(connection)
        if _cut_from_ms(batch) > world.now_ms:
            yield "cut_lines", lambda world, connection: _cut(world, connection, batch)
    if status == BatchStatus.FINALIZING or (status == BatchStatus.CANCELLING and _is_done(batch)):
        yield "write", lambda world, connection: world.write(connection, _kept(world, connection, Chore.WRITE))
    assert worker


def _kept(world: World, connection: Connection, chore: Chore) -> Any:
    at = world.keep(connection, chore, world.workers[0])
    assert at is not None, f"nobody may {chore} the batch"
    return at


def _is_done(batch: Record) -> bool:
    done: bool = batch["completed"] + batch["failed"] >= batch["total"] == batch["loaded"]
    return done and batch["validated_at_ms"] is not None


def _cut_from_ms(batch: Record) -> int:
    since: int = batch["cancelling_at_ms"] if batch["closing"] == BatchStatus.CANCELLED else batch["expires_at_ms"]
    return since + GRACE_MS


def _cut(world: World, connection: Connection, batch: Record) -> None:
    world.now_ms = _cut_from_ms(batch)
    world.close(connection)


def _later(world: World, span_ms: int) -> World:
    world.now_ms += span_ms
    return world


def _at(world: World, record: Record | None, column: str) -> World:
    assert record is not None
    world.now_ms = max(world.now_ms, record[column])
    return world


def _kinds(world: World) -> list[tuple[str, Message]]:
    """The messages on their way; of two that say the same the later one."""
    return sorted({_name(message): message for message in world.messages}.items())


def _name(message: Message) -> str:
    kind = "run" if isinstance(message, JobsMessage) else "run_slice"
    return f"{kind}@{message.queue}"
