"""The job and what hangs on it."""

from alembic import op
from sqlalchemy import PrimaryKeyConstraint

from store.migrations.columns import big, blob, create_index, optional_big, small, text


def create_jobs() -> None:
    """Create `job`, `payload`, `slice`, `attempt`, `result`."""
    op.create_table(
        "job",
        blob("id", 16),
        blob("key_id", 16),
        blob("batch_id", 16, nullable=True),
        blob("slice_id", 16, nullable=True),
        optional_big("line_no"),
        text("custom_id", nullable=True),
        blob("retry_of", 16, nullable=True),
        text("endpoint", 64),
        text("state", 16),
        text("error_class", 32, nullable=True),
        small("error_status", nullable=True),
        text("error_json", nullable=True),
        text("route"),
        small("route_index"),
        text("queue", nullable=True),
        small("priority"),
        big("created_at_ms"),
        optional_big("started_at_ms"),
        optional_big("finished_at_ms"),
        big("not_before_ms"),
        big("deadline_at_ms"),
        small("attempt", default=0),
        small("tries", default=0),
        small("provider_tries", default=0),
        small("unknowns", default=0),
        small("crashes", default=0),
        optional_big("published_at_ms"),
        small("publish_n", default=0),
        optional_big("cancel_requested_at_ms"),
        big("reserved_nanousd"),
        optional_big("estimate_nanousd"),
        text("tags_json", nullable=True),
        big("cost_nanousd"),
        text("metadata_json", nullable=True),
        small("stream", default=0),
        blob("reply_to", 16, nullable=True),
        small("ephemeral", default=0),
        small("notify", default=0),
        big("tried"),
        text("moved_for", 32, nullable=True),
        text("failover", 16, nullable=True),
        text("on_limit", 16, nullable=True),
        small("num_retries", nullable=True),
        blob("body_hash", 32, nullable=True),
        blob("twin_of", 16, nullable=True),
        small("leads", default=0),
        PrimaryKeyConstraint("id"),
    )
    create_index(
        "job_deadline", "job", ["deadline_at_ms"], where="batch_id IS NULL AND state IN ('queued', 'in_progress')"
    )
    create_index(
        "job_bodies",
        "job",
        ["ephemeral", "finished_at_ms"],
        where="batch_id IS NULL AND ephemeral > 0 AND ephemeral < 4 AND finished_at_ms IS NOT NULL",
    )
    create_index(
        "job_kept",
        "job",
        ["ephemeral", "key_id", "finished_at_ms"],
        where="batch_id IS NULL AND ephemeral = 0 AND finished_at_ms IS NOT NULL",
    )
    create_index("job_of_key", "job", ["key_id", "id"], where="batch_id IS NULL")
    create_index("job_single", "job", ["id"], where="batch_id IS NULL")
    create_index("job_failure", "job", ["finished_at_ms"], where="state = 'failed'")
    create_index("job_failure_of_key", "job", ["key_id", "finished_at_ms"], where="state = 'failed'")
    create_index("job_failed", "job", ["key_id", "id"], where="batch_id IS NULL AND error_class IS NOT NULL")
    create_index("job_retry", "job", ["retry_of"], where="batch_id IS NULL AND retry_of IS NOT NULL")
    create_index("job_reserved", "job", ["key_id"], where="reserved_nanousd <> 0")
    create_index("job_unanswered", "job", ["body_hash"], where="body_hash IS NOT NULL")
    create_index(
        "job_waiting",
        "job",
        ["queue", "key_id", "priority", "not_before_ms", "id"],
        where="state = 'queued' AND slice_id IS NULL AND published_at_ms IS NULL",
    )
    create_index(
        "job_called",
        "job",
        ["queue", "not_before_ms"],
        where="state = 'queued' AND slice_id IS NULL AND published_at_ms IS NULL AND reply_to IS NOT NULL",
    )
    create_index(
        "job_published",
        "job",
        ["queue", "published_at_ms"],
        where="state = 'queued' AND slice_id IS NULL AND published_at_ms IS NOT NULL",
    )
    create_index(
        "job_class",
        "job",
        ["batch_id", "error_class", "line_no"],
        where="batch_id IS NOT NULL AND error_class IS NOT NULL",
    )
    create_index("job_leading", "job", ["id"], where="leads <> 0 AND finished_at_ms IS NOT NULL")
    create_index("job_line", "job", ["batch_id", "line_no"], unique=True, where="batch_id IS NOT NULL")
    create_index("job_line_waiting", "job", ["batch_id", "id"], where="state = 'queued' AND batch_id IS NOT NULL")
    create_index("job_slice", "job", ["slice_id"], where="slice_id IS NOT NULL")
    op.create_table(
        "payload",
        blob("job_id", 16),
        blob("body"),
        PrimaryKeyConstraint("job_id"),
    )
    op.create_table(
        "slice",
        blob("id", 16),
        blob("key_id", 16),
        blob("batch_id", 16),
        text("route"),
        small("route_index"),
        text("queue"),
        small("jobs"),
        text("failover", 16, nullable=True),
        text("moved_for", 32, nullable=True),
        optional_big("published_at_ms"),
        small("publish_n", default=0),
        optional_big("claimed_at_ms"),
        optional_big("estimate_nanousd"),
        big("reserved_nanousd"),
        PrimaryKeyConstraint("id"),
    )
    create_index("slice_open", "slice", ["batch_id"], where="claimed_at_ms IS NULL")
    create_index(
        "slice_published",
        "slice",
        ["queue", "published_at_ms"],
        where="published_at_ms IS NOT NULL AND claimed_at_ms IS NULL",
    )
    create_index("slice_queued", "slice", ["queue"], where="published_at_ms IS NULL AND claimed_at_ms IS NULL")
    create_index(
        "slice_waiting",
        "slice",
        ["key_id", "batch_id", "route", "id"],
        where="published_at_ms IS NULL AND claimed_at_ms IS NULL",
    )
    op.create_table(
        "attempt",
        blob("job_id", 16),
        small("n"),
        blob("key_id", 16),
        text("provider"),
        text("model"),
        blob("owner", 16),
        big("lease_until_ms"),
        big("started_at_ms"),
        optional_big("ended_at_ms"),
        text("outcome", 16),
        small("watched", default=0),
        text("error_class", 32, nullable=True),
        small("http_status", nullable=True),
        text("provider_request_id", nullable=True),
        text("served_model", nullable=True),
        optional_big("prompt_tokens"),
        optional_big("completion_tokens"),
        optional_big("cached_tokens"),
        optional_big("cache_write_tokens"),
        optional_big("reasoning_tokens"),
        optional_big("cost_nanousd"),
        text("cost_basis", 16),
        text("dropped_json", nullable=True),
        PrimaryKeyConstraint("job_id", "n"),
    )
    create_index("attempt_running", "attempt", ["owner"], where="outcome = 'started'")
    op.create_table(
        "result",
        blob("job_id", 16),
        small("attempt_n"),
        blob("body"),
        PrimaryKeyConstraint("job_id"),
    )
