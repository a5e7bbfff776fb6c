"""Teams, keys, idempotency, live edits."""

from alembic import op
from sqlalchemy import PrimaryKeyConstraint

from store.migrations.columns import big, blob, create_index, optional_big, small, text


def create_accounts() -> None:
    """Create `team`, `key`, `key_secret`, `idempotency`, `override`."""
    op.create_table(
        "team",
        blob("id", 16),
        text("name", 255),
        small("shares", default=0),
        big("created_at_ms"),
        optional_big("deleted_at_ms"),
        PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "key",
        blob("id", 16),
        text("name", 255),
        text("owner", 255),
        blob("team_id", 16, nullable=True),
        blob("made_by", 16, nullable=True),
        text("tags_json", nullable=True),
        text("models_json", nullable=True),
        text("endpoints_json", nullable=True),
        text("scopes_json", nullable=True),
        small("allow_unpriced", default=0),
        small("store_bodies", default=0),
        optional_big("keep_content_ms"),
        big("created_at_ms"),
        optional_big("expires_at_ms"),
        optional_big("blocked_at_ms"),
        optional_big("revoked_at_ms"),
        optional_big("deleted_at_ms"),
        big("spent_nanousd"),
        big("served"),
        small("weight", default=1),
        text("limits_json", nullable=True),
        PrimaryKeyConstraint("id"),
    )
    create_index("key_of_team", "key", ["team_id"], where="team_id IS NOT NULL")
    op.create_table(
        "key_secret",
        blob("digest", 32),
        blob("key_id", 16),
        text("last4", 4),
        big("created_at_ms"),
        optional_big("expires_at_ms"),
        PrimaryKeyConstraint("digest"),
    )
    create_index("secret_of_key", "key_secret", ["key_id"])
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
