"""The job and what hangs on it: payload, slice, attempt, result.

A job row is the truth and the outbox: one that is `queued` is work still to be published. Times are integer
milliseconds of the database's clock, money is integer nano-dollars. See docs/protocol.md for every transition.
"""

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from store.tables.columns import RawBytes, big, id_, optional_big, optional_id, optional_text


class Job(SQLModel, table=True):
    """One completion request on its way to exactly one final state."""

    __tablename__ = "job"
    __table_args__ = (
        Index("job_line", "batch_id", "line_no", unique=True, sqlite_where=text("batch_id IS NOT NULL"),
              postgresql_where=text("batch_id IS NOT NULL")),
        Index("job_line_waiting", "batch_id", "id", sqlite_where=text("state = 'queued' AND batch_id IS NOT NULL"),
              postgresql_where=text("state = 'queued' AND batch_id IS NOT NULL")),
        Index("job_slice", "slice_id", sqlite_where=text("slice_id IS NOT NULL"),
              postgresql_where=text("slice_id IS NOT NULL")),
        Index("job_waiting", "queue", "key_id", "priority", "not_before_ms", "id",
              sqlite_where=text("state = 'queued' AND slice_id IS NULL AND published_at_ms IS NULL"),
              postgresql_where=text("state = 'queued' AND slice_id IS NULL AND published_at_ms IS NULL")),
        Index("job_called", "queue", "not_before_ms",
              sqlite_where=text("state = 'queued' AND slice_id IS NULL AND published_at_ms IS NULL"
                                " AND reply_to IS NOT NULL"),
              postgresql_where=text("state = 'queued' AND slice_id IS NULL AND published_at_ms IS NULL"
                                    " AND reply_to IS NOT NULL")),
        Index("job_published", "queue", "published_at_ms",
              sqlite_where=text("state = 'queued' AND slice_id IS NULL AND published_at_ms IS NOT NULL"),
              postgresql_where=text("state = 'queued' AND slice_id IS NULL AND published_at_ms IS NOT NULL")),
        Index("job_deadline", "deadline_at_ms",
              sqlite_where=text("batch_id IS NULL AND state IN ('queued', 'in_progress')"),
              postgresql_where=text("batch_id IS NULL AND state IN ('queued', 'in_progress')")),
        Index("job_of_key", "key_id", "id", sqlite_where=text("batch_id IS NULL"),
              postgresql_where=text("batch_id IS NULL")),
        Index("job_single", "id", sqlite_where=text("batch_id IS NULL"), postgresql_where=text("batch_id IS NULL")),
        Index("job_failure", "finished_at_ms",
              sqlite_where=text("state = 'failed'"), postgresql_where=text("state = 'failed'")),
        Index("job_failure_of_key", "key_id", "finished_at_ms",
              sqlite_where=text("state = 'failed'"), postgresql_where=text("state = 'failed'")),
        Index("job_failed", "key_id", "id", sqlite_where=text("batch_id IS NULL AND error_class IS NOT NULL"),
              postgresql_where=text("batch_id IS NULL AND error_class IS NOT NULL")),
        Index("job_retry", "retry_of", sqlite_where=text("batch_id IS NULL AND retry_of IS NOT NULL"),
              postgresql_where=text("batch_id IS NULL AND retry_of IS NOT NULL")),
        Index("job_reserved", "key_id", sqlite_where=text("reserved_nanousd <> 0"),
              postgresql_where=text("reserved_nanousd <> 0")),
        Index("job_unanswered", "body_hash", sqlite_where=text("body_hash IS NOT NULL"),
              postgresql_where=text("body_hash IS NOT NULL")),
        Index("job_bodies", "ephemeral", "finished_at_ms",
              sqlite_where=text("batch_id IS NULL AND ephemeral > 0 AND ephemeral < 4 AND finished_at_ms IS NOT NULL"),
              postgresql_where=text("batch_id IS NULL AND ephemeral > 0 AND ephemeral < 4"
                                    " AND finished_at_ms IS NOT NULL")),
        Index("job_class", "batch_id", "error_class", "line_no",
              sqlite_where=text("batch_id IS NOT NULL AND error_class IS NOT NULL"),
              postgresql_where=text("batch_id IS NOT NULL AND error_class IS NOT NULL")),
        Index("job_leading", "id", sqlite_where=text("leads <> 0 AND finished_at_ms IS NOT NULL"),
              postgresql_where=text("leads <> 0 AND finished_at_ms IS NOT NULL")),
        Index("job_kept", "ephemeral", "key_id", "finished_at_ms",
              sqlite_where=text("batch_id IS NULL AND ephemeral = 0 AND finished_at_ms IS NOT NULL"),
              postgresql_where=text("batch_id IS NULL AND ephemeral = 0 AND finished_at_ms IS NOT NULL")),
    )  # fmt: skip

    id: bytes = id_(primary_key=True)
    key_id: bytes = id_()  # the virtual key that owns it
    batch_id: bytes | None = optional_id()  # null for a single job
    slice_id: bytes | None = optional_id()
    """Set while it is handed out with its slice; null once it goes alone. A twin that waits has its leader's id here,
    the id of no slice: so it is found by it, and in no queue."""
    line_no: int | None = optional_big()  # 1-based line of the batch's input file
    custom_id: str | None = optional_text()  # the caller's name of the line
    retry_of: bytes | None = optional_id()  # the job that this one repeats, by hand
    endpoint: str = Field(max_length=64)  # e.g. /v1/chat/completions
    state: str = Field(max_length=16)  # router.lifecycle.JobState
    error_class: str | None = Field(default=None, max_length=32)  # of the final failure; null unless it failed
    error_status: int | None = None  # HTTP status of the final failure; null when no response came
    error_json: str | None = optional_text()  # the final failure in OpenAI's shape: {message, type, param, code}
    route: str = Field(sa_type=Text)  # the model that was asked for, and fallbacks of the request: router.route_name
    route_index: int = 0  # which deployment of the route is next
    queue: str | None = Field(default=None, sa_type=Text, nullable=True)  # `<provider>` or `<provider>.batch`
    priority: int = 0  # higher goes first within its queue
    created_at_ms: int = big()
    started_at_ms: int | None = optional_big()  # first claim
    finished_at_ms: int | None = optional_big()
    not_before_ms: int = big()  # earliest next start: retries and waiting
    deadline_at_ms: int = big()  # after it the job expires
    attempt: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # the fence: bumped by every claim
    tries: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # failures that count to the limit
    provider_tries: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # of them at this deployment
    unknowns: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # calls that may have been billed
    crashes: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # leases lost with their worker
    published_at_ms: int | None = optional_big()  # single jobs: last publish; null = to be published
    publish_n: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    cancel_requested_at_ms: int | None = optional_big()
    reserved_nanousd: int = big()  # set aside from budgets until it ends
    estimate_nanousd: int | None = optional_big()  # what it may cost; null = its price is not known
    tags_json: str | None = optional_text()  # tags of the request and of its key, sorted; null = none
    cost_nanousd: int = big()  # sum of its attempts' known costs
    metadata_json: str | None = optional_text()  # the caller's own pairs
    stream: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # 1: the caller wants the answer in events
    reply_to: bytes | None = optional_id()  # the API process that waits for the answer
    ephemeral: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # store.retention.Bodies
    notify: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # router.event_type.Told
    tried: int = big()  # bit n: the route's deployment n failed it, and is not chosen again while another is left
    moved_for: str | None = Field(default=None, max_length=32)
    """Why it is not where it would have gone first: an error class; null while it is."""
    failover: str | None = Field(default=None, max_length=16)  # router.routing.FailoverPolicy; null = the route's
    on_limit: str | None = Field(default=None, max_length=16)  # router.routing.OnLimit; null = the route's
    num_retries: int | None = None  # as the request says it, see router.retries; null = as the configuration says
    body_hash: bytes | None = Field(default=None, sa_type=RawBytes(32), nullable=True)
    """SHA-256 of endpoint and request body, until the waiting caller was answered: its retry finds the job by it."""
    twin_of: bytes | None = optional_id()
    """The line of the same batch whose call answers this one, its leader; null for a line that is called itself."""
    leads: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # 1: twins may wait for its end


class Payload(SQLModel, table=True):
    """A job's request body, as JSON bytes in the endpoint's shape."""

    __tablename__ = "payload"

    job_id: bytes = id_(primary_key=True)
    body: bytes = Field(sa_type=RawBytes)


class Slice(SQLModel, table=True):
    """Up to 256 lines of one batch and one route, handed out by one message."""

    __tablename__ = "slice"
    __table_args__ = (
        Index("slice_waiting", "key_id", "batch_id", "route", "id",
              sqlite_where=text("published_at_ms IS NULL AND claimed_at_ms IS NULL"),
              postgresql_where=text("published_at_ms IS NULL AND claimed_at_ms IS NULL")),
        Index("slice_published", "queue", "published_at_ms",
              sqlite_where=text("published_at_ms IS NOT NULL AND claimed_at_ms IS NULL"),
              postgresql_where=text("published_at_ms IS NOT NULL AND claimed_at_ms IS NULL")),
        Index("slice_queued", "queue", sqlite_where=text("published_at_ms IS NULL AND claimed_at_ms IS NULL"),
              postgresql_where=text("published_at_ms IS NULL AND claimed_at_ms IS NULL")),
        Index("slice_open", "batch_id", sqlite_where=text("claimed_at_ms IS NULL"),
              postgresql_where=text("claimed_at_ms IS NULL")),
    )  # fmt: skip

    id: bytes = id_(primary_key=True)
    key_id: bytes = id_()
    batch_id: bytes = id_()
    route: str = Field(sa_type=Text)
    route_index: int = 0  # the deployment chosen at hand-out
    queue: str = Field(sa_type=Text)  # planned when loaded, settled at hand-out
    jobs: int = 0  # how many lines it holds
    failover: str | None = Field(default=None, max_length=16)  # of all its lines; see Job
    moved_for: str | None = Field(default=None, max_length=32)  # of all its lines, settled at hand-out; see Job
    published_at_ms: int | None = optional_big()  # null = waiting in SQL for room at a deployment of its route
    publish_n: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    claimed_at_ms: int | None = optional_big()  # once set, its lines are on their own
    estimate_nanousd: int | None = optional_big()  # of all its lines; null = one of them has no known price
    reserved_nanousd: int = big()  # set aside at hand-out; the claim moves it to the lines


class Attempt(SQLModel, table=True):
    """One call to one deployment, written before the call is made. The lease lives here, not on the job."""

    __tablename__ = "attempt"
    __table_args__ = (
        Index("attempt_running", "owner", sqlite_where=text("outcome = 'started'"),
              postgresql_where=text("outcome = 'started'")),
    )  # fmt: skip

    job_id: bytes = id_(primary_key=True)
    n: int = Field(primary_key=True)  # the job's fence when it was claimed
    key_id: bytes = id_()
    provider: str = Field(sa_type=Text)
    model: str = Field(sa_type=Text)  # the name sent to the provider
    owner: bytes = id_()  # the worker that holds the lease
    lease_until_ms: int = big()
    started_at_ms: int = big()
    ended_at_ms: int | None = optional_big()
    outcome: str = Field(max_length=16)  # router.outcome.AttemptOutcome
    watched: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """1: written right before the call of a job whose worker had died before; only a death in such a call counts."""
    error_class: str | None = Field(default=None, max_length=32)
    http_status: int | None = None
    provider_request_id: str | None = optional_text()
    served_model: str | None = optional_text()  # what the provider says it served
    prompt_tokens: int | None = optional_big()  # null = the provider reported no usage
    completion_tokens: int | None = optional_big()
    cached_tokens: int | None = optional_big()
    cache_write_tokens: int | None = optional_big()
    reasoning_tokens: int | None = optional_big()
    cost_nanousd: int | None = optional_big()  # null = unknown, never 0 for lack of a price
    cost_basis: str = Field(default="none", max_length=16)  # router.outcome.CostBasis
    dropped_json: str | None = optional_text()  # names of request parameters that this provider was not sent


class Result(SQLModel, table=True):
    """The one answer of a completed job."""

    __tablename__ = "result"

    job_id: bytes = id_(primary_key=True)
    attempt_n: int = 0
    body: bytes = Field(sa_type=RawBytes)
