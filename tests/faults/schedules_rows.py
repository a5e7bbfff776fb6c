"""Rows to start from: single jobs and batches written through the store, with nothing else around them."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import Connection, Engine, insert

from providers.completion import Endpoint, Usage
from providers.failure import ErrorClass
from router.budget import Payer, PayerKind, Period
from router.lifecycle import JobState
from router.outcome import AttemptOutcome, CostBasis
from store.batches import BATCH_PURPOSE, NewBatch, create_batch
from store.budget_edits import new_budget
from store.claim import Claimant, ClaimedJob
from store.files import NewFile, insert_file
from store.ids import MASTER_KEY_ID, new_id
from store.keeping import Chore, KeptBatch, keep_one, let_go
from store.loading import Line, accept, load_chunk
from store.new_job import NewJob
from store.output import OutputFiles, WrittenFile
from store.settlement import Abandoned, Completed, Failed, Requeued, Settlement
from store.sqlite import sqlite_engine
from store.tables import job, key, metadata, payload
from workers.line_plan import as_twin

DAY_MS = 86_400_000
LEASE_MS = 30_000
START_MS = 1_800_000_000_000
"""The models' own clock begins here."""
PROVIDERS = ("one", "two")
"""The deployments of the route that every job asks for, in order."""
QUEUES = ("one", "two", "one.batch", "two.batch")
COST = 7
"""Nano-dollars of an answer."""
FAILURE_COST = 3
"""Nano-dollars of a failure that is billed."""
ESTIMATE = 10
"""Nano-dollars that are set aside for a job."""
_BAD_REQUEST = '{"message":"no","type":"invalid_request_error","param":null,"code":"bad_request"}'


def memory_engine() -> Engine:
    """An empty SQLite database in memory, with the tables and the master key; one connection."""
    engine = sqlite_engine("sqlite:///:memory:", immediate=True, pool_size=1)
    with engine.begin() as connection:
        create_tables(connection)
    return engine


def create_tables(connection: Connection) -> None:
    """Make the tables as they are described, and the master key."""
    metadata.create_all(connection)
    connection.execute(insert(key).values(id=MASTER_KEY_ID, name="master"))


def claimant(worker_id: bytes, lease_ms: int = LEASE_MS) -> Claimant:
    """A claimant of all queues, to whom every route has the two deployments of `PROVIDERS`."""
    return Claimant(worker_id, lease_ms, QUEUES, lambda _route, index: (PROVIDERS[index], "m"))


def add_job(
    connection: Connection,
    now_ms: int,
    *,
    queue: str = "one",
    window_ms: int = DAY_MS,
    priority: int = 0,
    crashes: int = 0,
    key_id: bytes = MASTER_KEY_ID,
) -> bytes:
    """Insert a single job and its payload, as a submission would."""
    job_id = new_id()
    connection.execute(
        insert(job).values(
            id=job_id, key_id=key_id, endpoint=Endpoint.CHAT, state=JobState.QUEUED, route="r", queue=queue,
            priority=priority, created_at_ms=now_ms, deadline_at_ms=now_ms + window_ms, crashes=crashes,
        )
    )  # fmt: skip
    connection.execute(insert(payload).values(job_id=job_id, body=b"{}"))
    return job_id


def new_job(*, window_ms: int = DAY_MS, reply_to: bytes | None = None) -> NewJob:
    """A single job to be submitted; `reply_to` waits for it."""
    return NewJob(
        new_id(), MASTER_KEY_ID, Endpoint.CHAT, "r", "one", b"{}", window_ms, reply_to=reply_to,
        estimate_nanousd=ESTIMATE,
    )  # fmt: skip


def add_budget(connection: Connection, now_ms: int) -> None:
    """Give the master key a budget that is never used up, so that all that is set aside is kept account of."""
    new_budget(connection, now_ms, Payer(PayerKind.KEY, MASTER_KEY_ID.hex()), Period.TOTAL, 1_000_000)


def add_key(connection: Connection, now_ms: int, *, weight: int = 1) -> bytes:
    """Insert a virtual key."""
    key_id = new_id()
    connection.execute(insert(key).values(id=key_id, name="key", created_at_ms=now_ms, weight=weight))
    return key_id


def add_batch(connection: Connection, now_ms: int, *, window_ms: int = DAY_MS, key_id: bytes = MASTER_KEY_ID) -> bytes:
    """Insert an input file and create a batch that reads it."""
    file_id, batch_id = new_id(), new_id()
    insert_file(connection, now_ms, NewFile(file_id, key_id, "in.jsonl", BATCH_PURPOSE, 1, None))
    made = create_batch(
        connection,
        now_ms,
        NewBatch(batch_id, key_id, Endpoint.CHAT, file_id, "24h", window_ms, {}, None),
    )
    assert getattr(made, "id", None) == batch_id, made
    return batch_id


def lines(
    numbers: Iterable[int], *, routes: Sequence[str] = ("r",), leaders: Mapping[int, int] = MappingProxyType({})
) -> list[Line]:
    """Checked lines of an input file, for these routes in turn; `leaders` are the lines that answer others."""
    found = [
        Line(new_id(), number, f"c{number}", routes[number % len(routes)], "one.batch", b"{}", None, ESTIMATE)
        for number in numbers
    ]
    return [as_twin(line, leaders[line.number]) if line.number in leaders else line for line in found]


def keep(connection: Connection, now_ms: int, chore: Chore, worker_id: bytes) -> KeptBatch:
    """Take the batch that needs this chore; there must be one."""
    kept = keep_one(connection, now_ms, chore, worker_id, LEASE_MS)
    assert kept is not None, f"no batch needs {chore}"
    return kept


def add_loaded_batch(
    connection: Connection,
    now_ms: int,
    total: int,
    *,
    slice_jobs: int = 64,
    routes: Sequence[str] = ("r",),
    window_ms: int = DAY_MS,
    key_id: bytes = MASTER_KEY_ID,
) -> bytes:
    """Create a batch, accept it and load all its lines, which ask for these routes in turn."""
    batch_id, worker_id = add_batch(connection, now_ms, window_ms=window_ms, key_id=key_id), new_id()
    kept = keep(connection, now_ms, Chore.VALIDATE, worker_id)
    assert kept.id == batch_id, "another batch was waiting to be checked"
    assert accept(connection, now_ms, batch_id, worker_id, total=total, model=routes[0] if len(routes) == 1 else None)
    let_go(connection, now_ms, batch_id, worker_id)
    kept = keep(connection, now_ms, Chore.LOAD, worker_id)
    assert load_chunk(connection, now_ms, kept, worker_id, lines(range(1, total + 1), routes=routes), slice_jobs)
    let_go(connection, now_ms, batch_id, worker_id)
    return batch_id


def files(output_bytes: int, error_bytes: int = 0, *, name: str = "output.jsonl") -> OutputFiles:
    """The files of a batch, as if they were stored; one without bytes does not exist."""
    output = WrittenFile(new_id(), name, output_bytes, is_output=True) if output_bytes else None
    errors = WrittenFile(new_id(), "error.jsonl", error_bytes, is_output=False) if error_bytes else None
    return OutputFiles(output, errors, DAY_MS)


def answered(job: ClaimedJob, *, cost_nanousd: int | None = COST) -> Settlement:
    """The end of a call that gave an answer; without a cost its price is not known."""
    basis = CostBasis.UNKNOWN if cost_nanousd is None else CostBasis.REPORTED
    return Settlement(
        job.id, job.n, job.key_id, job.batch_id, Completed(b'{"n":%d}' % job.n), AttemptOutcome.OK,
        usage=Usage(prompt_tokens=10, completion_tokens=5), cost_nanousd=cost_nanousd, cost_basis=basis,
        http_status=200,
    )  # fmt: skip


def retried(job: ClaimedJob, not_before_ms: int) -> Settlement:
    """The end of a call that was refused: the same deployment is asked again."""
    back = Requeued(job.queue, job.route_index, not_before_ms, job.tries + 1, job.provider_tries + 1, job.unknowns)
    return Settlement(
        job.id, job.n, job.key_id, job.batch_id, back, AttemptOutcome.ERROR, error_class=ErrorClass.SERVER_ERROR
    )


def moved_on(job: ClaimedJob, not_before_ms: int) -> Settlement:
    """The end of a call of unknown outcome: the second deployment is asked."""
    queue = job.queue.replace(PROVIDERS[0], PROVIDERS[1])
    return Settlement(
        job.id, job.n, job.key_id, job.batch_id,
        Requeued(queue, 1, not_before_ms, job.tries + 1, 0, job.unknowns + 1, moved_for=ErrorClass.TIMEOUT),
        AttemptOutcome.UNKNOWN, cost_basis=CostBasis.UNKNOWN, error_class=ErrorClass.TIMEOUT,
    )  # fmt: skip


def given_up(job: ClaimedJob, error_class: ErrorClass = ErrorClass.BAD_REQUEST) -> Settlement:
    """The end of a call whose failure is final, and was billed."""
    return Settlement(
        job.id, job.n, job.key_id, job.batch_id, Failed(error_class, _BAD_REQUEST), AttemptOutcome.ERROR,
        usage=Usage(prompt_tokens=2), cost_nanousd=FAILURE_COST, cost_basis=CostBasis.ESTIMATED,
        error_class=error_class, http_status=400,
    )  # fmt: skip


def released(job: ClaimedJob, not_before_ms: int) -> Settlement:
    """The end of an attempt whose call was never made."""
    back = Requeued(job.queue, job.route_index, not_before_ms, job.tries, job.provider_tries, job.unknowns)
    return Settlement(job.id, job.n, job.key_id, job.batch_id, back, AttemptOutcome.RELEASED)


def interrupted(job: ClaimedJob, not_before_ms: int) -> Settlement:
    """The end of a call that a shutdown cut."""
    back = Requeued(job.queue, job.route_index, not_before_ms, job.tries, job.provider_tries, job.unknowns)
    return Settlement(
        job.id, job.n, job.key_id, job.batch_id, back, AttemptOutcome.UNKNOWN, cost_basis=CostBasis.UNKNOWN
    )


def cut(job: ClaimedJob) -> Settlement:
    """The end of a call that was cut because its worker was told that nobody needs it."""
    return Settlement(
        job.id, job.n, job.key_id, job.batch_id, Abandoned(), AttemptOutcome.UNKNOWN, cost_basis=CostBasis.UNKNOWN,
        error_class=ErrorClass.CANCELLED,
    )  # fmt: skip
