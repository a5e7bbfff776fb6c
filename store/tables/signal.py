"""What processes and callers are told: events, webhook endpoints and deliveries, live workers, facts."""

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel, UniqueConstraint

from store.tables.columns import big, id_, optional_big, optional_id, optional_text


class Event(SQLModel, table=True):
    """Something that happened to a job or a batch, committed together with it."""

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("object_id", "type", name="event_once"),)

    id: bytes = id_(primary_key=True)
    key_id: bytes = id_()
    object_id: bytes = id_()  # the job or batch
    type: str = Field(max_length=64)  # e.g. batch.completed
    created_at_ms: int = big()


class WebhookEndpoint(SQLModel, table=True):
    """Where a key wants its events sent."""

    __tablename__ = "webhook_endpoint"

    id: bytes = id_(primary_key=True)
    key_id: bytes = id_()
    object_id: bytes | None = optional_id()  # set when it serves one job or batch only
    name: str = Field(default="", max_length=255)
    url: str = Field(sa_type=Text)
    secret: str | None = optional_text()  # null = the key's own secret signs
    event_types_json: str = Field(default="[]", sa_type=Text)
    created_at_ms: int = big()
    disabled_at_ms: int | None = optional_big()


class Delivery(SQLModel, table=True):
    """One event on its way to one endpoint."""

    __tablename__ = "delivery"
    __table_args__ = (
        Index("delivery_due", "next_at_ms", sqlite_where=text("state = 'waiting'"),
              postgresql_where=text("state = 'waiting'")),
    )  # fmt: skip

    event_id: bytes = id_(primary_key=True)
    endpoint_id: bytes = id_(primary_key=True)
    key_id: bytes = id_()
    state: str = Field(max_length=16)  # waiting, delivered, failed
    try_n: int = 0
    next_at_ms: int = big()
    last_status: int | None = None


class WorkerSeen(SQLModel, table=True):
    """A live worker process; renewed together with its leases."""

    __tablename__ = "worker"

    id: bytes = id_(primary_key=True)
    host: str = Field(max_length=255)
    queues_json: str = Field(default="[]", sa_type=Text)
    room: int = 0  # calls that it could start now
    in_flight: int = 0
    version: str = Field(default="", max_length=32)
    started_at_ms: int = big()
    seen_at_ms: int = big()


class Fact(SQLModel, table=True):
    """A single remembered value, e.g. which life of Redis the publishes were made into."""

    __tablename__ = "fact"

    name: str = Field(primary_key=True, max_length=64)
    value: str = Field(sa_type=Text)
