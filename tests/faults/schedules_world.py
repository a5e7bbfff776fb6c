"""The world around the store: a clock, messages on their way, workers with calls in their hands, keepers of batches.

Everything that is not in SQL and may be lost. Each method is one thing that happens: it runs the store's own functions
on the connection it is given, in the caller's transaction, and keeps the world's side of it. The functions are looked
up in their modules each time, so that a test can put a sabotaged one in place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import Connection, update

from providers.failure import ErrorClass
from store import (
    batches,
    claim,
    closing,
    epoch,
    finish,
    handout,
    keeping,
    leases,
    loading,
    output,
    resends,
    submission,
    twins,
)
from store.claim import ClaimedJob
from store.ids import MASTER_KEY_ID, new_id
from store.keeping import Chore, KeptBatch
from store.leases import WorkerState
from store.messages import JobsMessage, Message
from store.settlement import Settlement
from store.tables import job
from tests.faults import schedules_rows as rows
from tests.faults.schedules_plans import plan
from tests.faults.schedules_rows import DAY_MS, LEASE_MS, START_MS

GRACE_MS = 5_000
REPUBLISH_MS = 60_000
RETRY_MS = 500
WINDOW = 4
SLICE_JOBS = 2
MOST_LINES = 5
TWINS: Mapping[int, int] = MappingProxyType({4: 1, 5: 1})
"""In batches of so many lines the last two are answered by the first."""


class Report(StrEnum):
    """How a call may end, in the words of its worker."""

    OK = "ok"
    UNPRICED = "unpriced"
    RETRY = "retry"
    MOVE = "move"
    FAIL = "fail"
    EXPIRE = "expire"
    RELEASE = "release"
    INTERRUPT = "interrupt"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Call:
    """A claimed job in the hands of a worker."""

    worker: bytes
    job: ClaimedJob

    @property
    def attempt(self) -> tuple[bytes, int]:
        return self.job.id, self.job.n


@dataclass(frozen=True, slots=True)
class Keeping:
    """A worker at a batch's chore; `position` is the last line it has written."""

    worker: bytes
    chore: Chore
    batch: KeptBatch
    position: int


def settlement(job: ClaimedJob, report: Report, now_ms: int) -> Settlement:
    """Spell a report as the store takes it."""
    match report:
        case Report.OK:
            return rows.answered(job)
        case Report.UNPRICED:
            return rows.answered(job, cost_nanousd=None)
        case Report.RETRY:
            return rows.retried(job, now_ms + RETRY_MS)
        case Report.MOVE:
            return rows.moved_on(job, now_ms)
        case Report.FAIL:
            return rows.given_up(job)
        case Report.EXPIRE:
            return rows.given_up(job, ErrorClass.EXPIRED)
        case Report.RELEASE:
            return rows.released(job, now_ms)
        case Report.INTERRUPT:
            return rows.interrupted(job, now_ms)
        case Report.CUT:
            return rows.cut(job)


@dataclass(slots=True)
class World:
    """All that SQL does not hold. Immutable inside, so `copy` is shallow."""

    workers: list[bytes] = field(default_factory=list)
    now_ms: int = START_MS
    messages: list[Message] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    keepings: list[Keeping] = field(default_factory=list)
    life: int = 1
    """Which life of Redis this is."""
    totals: dict[bytes, int] = field(default_factory=dict)
    """Lines in the input file of each batch."""
    accepted: set[bytes] = field(default_factory=set)
    """Single jobs that were answered with 202."""
    bills: dict[tuple[bytes, int], int] = field(default_factory=dict)
    """What providers ask for each call that they saw, in nano-dollars; whoever hears of it late owes it too."""

    def copy(self) -> "World":
        """A second world that goes on from the same point."""
        return replace(
            self, workers=list(self.workers), messages=list(self.messages), calls=list(self.calls),
            keepings=list(self.keepings), totals=dict(self.totals), accepted=set(self.accepted),
            bills=dict(self.bills),
        )  # fmt: skip

    # -- callers

    def submit(self, connection: Connection, *, crashes: int = 0, window_ms: int = DAY_MS) -> bytes:
        """A single job is accepted."""
        new = rows.new_job(window_ms=window_ms)
        submission.submit(connection, self.now_ms, [new], marked=False)
        connection.execute(update(job).where(job.c.id == new.id).values(crashes=crashes))
        self.accepted.add(new.id)
        return new.id

    def hand_off(self, connection: Connection, worker: bytes, *, survives: bool = True) -> bytes:
        """A single job is accepted as claimed by the API process that makes its call; unless it `survives` it dies."""
        new = rows.new_job(reply_to=worker)
        hand_over = submission.HandOver(rows.claimant(worker), frozenset({new.id}))
        (made,) = submission.submit(connection, self.now_ms, [new], marked=True, hand_over=hand_over)
        assert isinstance(made, submission.Submitted)
        assert made.claimed is not None
        self.accepted.add(new.id)
        if survives:
            self.calls.append(Call(worker, made.claimed))
            self.bills[new.id, made.claimed.n] = rows.COST
        return new.id

    def create_batch(self, connection: Connection, total: int, *, window_ms: int = DAY_MS) -> bytes:
        """A batch is created."""
        batch_id = rows.add_batch(connection, self.now_ms, window_ms=window_ms)
        self.totals[batch_id] = total
        return batch_id

    def cancel(self, connection: Connection, batch_id: bytes) -> None:
        """The caller cancels a batch."""
        batches.request_cancel(connection, self.now_ms, (MASTER_KEY_ID,), batch_id)

    # -- Redis

    def hand_out(self, connection: Connection, queue: str, *, sent: bool = True, window: int = WINDOW) -> bool:
        """A worker fills a queue's window; unless `sent` it dies between the commit and the publish."""
        messages = handout.hand_out(connection, self.now_ms, plan(queue, window=window))
        if sent:
            self.messages += messages
        return bool(messages)

    def resend(self, connection: Connection, queue: str, older_than_ms: int) -> bool:
        """A sweep publishes again what was published before that time and never claimed."""
        messages = resends.stranded(connection, self.now_ms, queue, older_than_ms)
        self.messages += messages
        return bool(messages)

    def _watch(self, connection: Connection, worker: bytes, claimed: Sequence[ClaimedJob]) -> None:
        """The worker says which watched jobs it calls; of those that are tried alone all but one wait, not to blame."""
        held = [call.job for call in self.calls if call.worker == worker]
        alone = [each for each in (*held, *claimed) if each.crashes > leases.PAUSED_CRASHES]
        for each in claimed:
            if each.crashes >= leases.WATCHED_CRASHES and each not in alone[1:]:
                leases.mark_watched(connection, self.now_ms, each.id, each.n)

    def lose_message(self, _connection: Connection, message: Message) -> None:
        """A message is lost on its way, or its worker dies before it claims."""
        self.messages.remove(message)

    def flush(self, _connection: Connection) -> None:
        """Redis loses everything."""
        self.messages.clear()
        self.life += 1

    def notice_life(self, connection: Connection) -> bool:
        """A sweep looks which life of Redis this is."""
        return epoch.enter_epoch(connection, self.now_ms, str(self.life))

    def deliver(
        self, connection: Connection, message: Message, worker: bytes, *, again: bool = False, survives: bool = True
    ) -> int:
        """A worker gets a message and claims; `again` leaves it in Redis, unless it `survives` it dies right after."""
        if not again:
            self.messages.remove(message)
        who = rows.claimant(worker)
        if isinstance(message, JobsMessage):
            claimed = claim.claim_jobs(connection, self.now_ms, who, message.job_ids)
        else:
            claimed = claim.claim_slice(connection, self.now_ms, who, message.slice_id)
        if survives:
            self._watch(connection, worker, claimed)
            self.calls += [Call(worker, job) for job in claimed]
            self.bills.update(((job.id, job.n), rows.COST) for job in claimed)
        return len(claimed)

    # -- workers

    def report(self, connection: Connection, ends: Sequence[tuple[Call, Report]], *, twice: bool = False) -> None:
        """Workers commit how calls ended, in one group; `twice` when they were unsure whether the commit arrived."""
        group = [settlement(call.job, report, self.now_ms) for call, report in ends]
        for _ in range(2 if twice else 1):
            finish.finish(connection, self.now_ms, group)
        self.calls = [call for call in self.calls if call not in [ended for ended, _ in ends]]
        for call, report in ends:
            if report is Report.RETRY:
                self.bills[call.attempt] = 0
            elif report is Report.RELEASE:
                del self.bills[call.attempt]

    def lose(self, call: Call) -> None:
        """A worker forgets a call."""
        self.calls.remove(call)

    def crash(self, _connection: Connection, worker: bytes) -> None:
        """A worker dies; another one with a new id takes its place."""
        self.calls = [call for call in self.calls if call.worker != worker]
        self.keepings = [each for each in self.keepings if each.worker != worker]
        self.workers[self.workers.index(worker)] = new_id()

    def renew(self, connection: Connection, worker: bytes) -> None:
        """A worker renews its leases, cuts calls lost or not needed, and disowns claims that it never heard of."""
        mine = [call for call in self.calls if call.worker == worker]
        state = WorkerState(worker, "host", "[]", 1, len(mine), "")
        renewal = leases.renew(connection, self.now_ms, state, LEASE_MS)
        over = [call for call in mine if call.attempt not in renewal.held or call.job.id in renewal.unwanted]
        for call in over:
            self.report(connection, [(call, Report.CUT)])
        if unheard_of := sorted(renewal.held - {call.attempt for call in mine}):
            leases.disown(connection, self.now_ms, worker, unheard_of)

    # -- the sweep

    def rescue(self, connection: Connection) -> None:
        """A sweep takes back what dead workers held."""
        leases.rescue(connection, self.now_ms, 0)

    def expire(self, connection: Connection) -> None:
        """A sweep ends single jobs past their deadline and begins to close batches past their window."""
        closing.expire_jobs(connection, self.now_ms)
        closing.begin_expiry(connection, self.now_ms)

    def close(self, connection: Connection) -> int:
        """A sweep ends the waiting lines of closing batches, and the running ones after the grace."""
        ended = 0
        for each in closing.closing_batches(connection, self.now_ms, GRACE_MS):
            ended += closing.close_lines(connection, self.now_ms, each)
            if each.cut_running:
                ended += len(closing.cut_lines(connection, self.now_ms, each))
        return ended

    def end_twins(self, connection: Connection) -> None:
        """Somebody looks for lines that wait for one which has ended."""
        twins.end_twins(connection, self.now_ms)

    # -- keepers

    def keep(self, connection: Connection, chore: Chore, worker: bytes) -> Keeping | None:
        """A worker takes the oldest batch that needs this chore."""
        kept = keeping.keep_one(connection, self.now_ms, chore, worker, LEASE_MS)
        if kept is None:
            return None
        self.keepings.append(Keeping(worker, chore, kept, kept.loaded))
        return self.keepings[-1]

    def accept(self, connection: Connection, at: Keeping, *, good: bool = True) -> None:
        """The keeper has checked the whole file."""
        if good:
            loading.accept(connection, self.now_ms, at.batch.id, at.worker, total=self.totals[at.batch.id], model=None)
        else:
            loading.reject(connection, self.now_ms, at.batch.id, at.worker, '[{"code":"bad","line":1}]')
        self._leave(connection, at)

    def load(self, connection: Connection, at: Keeping, most: int) -> None:
        """The keeper writes the next lines; when it is overtaken it stops."""
        upto = min(at.position + most, at.batch.total)
        leaders = TWINS if at.batch.total == MOST_LINES else {}
        chunk = rows.lines(range(at.position + 1, upto + 1), leaders=leaders)
        if not loading.load_chunk(connection, self.now_ms, at.batch, at.worker, chunk, SLICE_JOBS):
            self.keepings.remove(at)
        elif upto == at.batch.total:
            self._leave(connection, at)
        else:
            self.keepings[self.keepings.index(at)] = replace(at, position=upto)

    def write(self, connection: Connection, at: Keeping) -> None:
        """The keeper has read every line and stored the files, and makes them public."""
        ended = output.read_ended_lines(connection, self.now_ms, at.batch.id, 0, 1_000_000)
        assert [line.number for line in ended] == list(range(1, self.totals[at.batch.id] + 1)), "lines are missing"
        completed = sum(line.body is not None for line in ended)
        files = rows.files(completed, len(ended) - completed)
        output.publish_output(connection, self.now_ms, at.batch, at.worker, files)
        self._leave(connection, at)

    def _leave(self, connection: Connection, at: Keeping) -> None:
        keeping.let_go(connection, self.now_ms, at.batch.id, at.worker)
        self.keepings.remove(at)
