"""Keys, money, idempotency, live edits."""

from alembic import op
from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint

from store.migrations.columns import big, blob, create_index, optional_big, small, text


def create_accounts() -> None:
    """Create `key`, `ledger`, `idempotency`, `override`."""
    op.create_table(
        "key",
        blob("id", 16),
        text("name", 255),
        blob("digest", 32, nullable=True),
        text("last4", 4),
        big("created_at_ms"),
        optional_big("expires_at_ms"),
        optional_big("revoked_at_ms"),
        big("spent_nanousd"),
        big("reserved_nanousd"),
        big("served"),
        small("weight", default=1),
        text("limits_json", nullable=True),
        PrimaryKeyConstraint("id"),
        UniqueConstraint("digest"),
    )
    op.create_table(
        "ledger",
        blob("job_id", 16),
        small("n"),
        text("kind", 16),
        blob("key_id", 16),
        blob("batch_id", 16, nullable=True),
        big("at_ms"),
        optional_big("amount_nanousd"),
        text("basis", 16),
        PrimaryKeyConstraint("job_id", "n", "kind"),
    )
    create_index("ledger_of_key", "ledger", ["key_id", "at_ms"])
    op.create_table(
        "idempotency",
        blob("key_id", 16),
        text("route", 64),
        blob("key_hash", 32),
        blob("body_hash", 32),
        blob("object_id", 16),
        big("expires_at_ms"),
        PrimaryKeyConstraint("key_id", "route", "key_hash"),
    )
    create_index("idempotency_expiry", "idempotency", ["expires_at_ms"])
    op.create_table(
        "override",
        text("name"),
        text("value_json", nullable=True),
        blob("key_id", 16),
        big("set_at_ms"),
        PrimaryKeyConstraint("name"),
    )
