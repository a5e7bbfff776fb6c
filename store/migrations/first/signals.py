"""What processes and callers are told."""

from alembic import op
from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint

from store.migrations.columns import big, blob, create_index, optional_big, small, text


def create_signals() -> None:
    """Create `event`, `webhook_endpoint`, `delivery`, `worker`, `fact`."""
    op.create_table(
        "event",
        blob("id", 16),
        blob("key_id", 16),
        blob("object_id", 16),
        text("type", 64),
        big("created_at_ms"),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("object_id", "type", name="event_once"),
    )
    op.create_table(
        "webhook_endpoint",
        blob("id", 16),
        blob("key_id", 16),
        blob("object_id", 16, nullable=True),
        text("name", 255),
        text("url"),
        text("secret", nullable=True),
        text("event_types_json"),
        big("created_at_ms"),
        optional_big("disabled_at_ms"),
        PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "delivery",
        blob("event_id", 16),
        blob("endpoint_id", 16),
        blob("key_id", 16),
        text("state", 16),
        small("try_n"),
        big("next_at_ms"),
        small("last_status", nullable=True),
        PrimaryKeyConstraint("event_id", "endpoint_id"),
    )
    create_index("delivery_due", "delivery", ["next_at_ms"], where="state = 'waiting'")
    op.create_table(
        "worker",
        blob("id", 16),
        text("host", 255),
        text("queues_json"),
        small("room"),
        small("in_flight"),
        text("version", 32),
        big("started_at_ms"),
        big("seen_at_ms"),
        PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "fact",
        text("name", 64),
        text("value"),
        PrimaryKeyConstraint("name"),
    )
