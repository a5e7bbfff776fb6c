"""Who asks and what it cost: virtual keys, the ledger, idempotency."""

from sqlalchemy import Index, Text
from sqlmodel import Field, SQLModel

from store.tables.columns import RawBytes, big, id_, optional_big, optional_text


class Key(SQLModel, table=True):
    """A virtual key. The secret is shown once; here is only its HMAC."""

    __tablename__ = "key"

    id: bytes = id_(primary_key=True)
    name: str = Field(max_length=255)
    digest: bytes | None = Field(default=None, sa_type=RawBytes(32), nullable=True, unique=True)
    """HMAC-SHA256 of the secret under the server's pepper; null for the master key's row."""
    last4: str = Field(default="", max_length=4)
    created_at_ms: int = big()
    expires_at_ms: int | None = optional_big()
    revoked_at_ms: int | None = optional_big()
    spent_nanousd: int = big()  # equals the sum of its ledger lines
    reserved_nanousd: int = big()
    served: int = big()  # turns it has had, in thousandths of a job divided by its weight; see router.turns
    weight: int = Field(default=1, sa_column_kwargs={"server_default": "1"})  # its share of turns at hand-out
    limits_json: str | None = optional_text()  # limits of its own, by router.limit_names.LimitName; null = none


class Ledger(SQLModel, table=True):
    """Append-only money: one line per (job, attempt, kind)."""

    __tablename__ = "ledger"
    __table_args__ = (Index("ledger_of_key", "key_id", "at_ms"),)

    job_id: bytes = id_(primary_key=True)
    n: int = Field(primary_key=True)  # the attempt; 0 for a reservation made before any
    kind: str = Field(primary_key=True, max_length=16)  # router.outcome.LedgerKind
    key_id: bytes = id_()
    batch_id: bytes | None = Field(default=None, sa_type=RawBytes(16), nullable=True)
    at_ms: int = big()
    amount_nanousd: int | None = optional_big()  # null = exposure: a call whose cost is not known
    basis: str = Field(default="none", max_length=16)  # router.outcome.CostBasis


class Idempotency(SQLModel, table=True):
    """What an `Idempotency-Key` made, for 24 hours."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("idempotency_expiry", "expires_at_ms"),)

    key_id: bytes = id_(primary_key=True)
    route: str = Field(primary_key=True, max_length=64)
    key_hash: bytes = Field(sa_type=RawBytes(32), primary_key=True)
    body_hash: bytes = Field(sa_type=RawBytes(32))
    object_id: bytes = id_()
    expires_at_ms: int = big()


class Override(SQLModel, table=True):
    """A live edit of the configuration; it wins over the file until it is cleared."""

    __tablename__ = "override"

    name: str = Field(primary_key=True, sa_type=Text)  # router.scope.Scope as text
    value_json: str | None = optional_text()
    key_id: bytes = id_()
    set_at_ms: int = big()
