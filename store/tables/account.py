"""Who asks: teams, virtual keys and their secrets, idempotency, live edits."""

from sqlalchemy import Index, Text, text
from sqlmodel import Field, SQLModel

from store.tables.columns import RawBytes, big, id_, optional_big, optional_id, optional_text


class Team(SQLModel, table=True):
    """Several keys of one group of people. Its budgets stand above those of its keys."""

    __tablename__ = "team"

    id: bytes = id_(primary_key=True)
    name: str = Field(max_length=255)
    shares: int = Field(default=0, sa_column_kwargs={"server_default": "0"})  # 1: its keys see what each of them makes
    created_at_ms: int = big()
    deleted_at_ms: int | None = optional_big()  # only once it has no keys


class Key(SQLModel, table=True):
    """A virtual key: who may ask for what. Everything it makes carries its id, whatever secret it was made with."""

    __tablename__ = "key"
    __table_args__ = (
        Index("key_of_team", "team_id", sqlite_where=text("team_id IS NOT NULL"),
              postgresql_where=text("team_id IS NOT NULL")),
    )  # fmt: skip

    id: bytes = id_(primary_key=True)
    name: str = Field(max_length=255)
    owner: str = Field(default="", max_length=255)  # whom to ask; free text
    team_id: bytes | None = optional_id()  # never changes: spend and budgets are found by it
    made_by: bytes | None = optional_id()  # the key that made it; null for the master key
    tags_json: str | None = optional_text()  # tags of all its work, sorted; never changes; null = none
    models_json: str | None = optional_text()  # the models it may ask for, `*` at the end stands for any; null = all
    endpoints_json: str | None = optional_text()  # the endpoints it may call, such as /v1/embeddings; null = all
    scopes_json: str | None = optional_text()  # router.key_rules.KeyScope; null = all but administration
    allow_unpriced: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """1: under a budget it may use models whose price is not known; they count as nothing."""
    store_bodies: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """1: bodies of sync calls are kept as if the request said `store: true`."""
    keep_content_ms: int | None = optional_big()  # how long its bodies and files are kept; null = `store.keep_content`
    created_at_ms: int = big()
    expires_at_ms: int | None = optional_big()
    blocked_at_ms: int | None = optional_big()  # refused until it is unblocked
    revoked_at_ms: int | None = optional_big()  # refused for good
    deleted_at_ms: int | None = optional_big()  # revoked, and out of the lists
    spent_nanousd: int = big()  # equals the sum of its ledger's settle lines
    served: int = big()  # turns it has had, in thousandths of a job divided by its weight; see router.turns
    weight: int = Field(default=1, sa_column_kwargs={"server_default": "1"})  # its share of turns at hand-out
    limits_json: str | None = optional_text()  # limits of its own, by router.limit_names.LimitName; null = none


class KeySecret(SQLModel, table=True):
    """One secret of a key. It is shown once; here is only its HMAC. A rotation adds one and ends the others."""

    __tablename__ = "key_secret"
    __table_args__ = (Index("secret_of_key", "key_id"),)

    digest: bytes = Field(sa_type=RawBytes(32), primary_key=True)  # HMAC-SHA256 under the server's pepper
    key_id: bytes = id_()
    last4: str = Field(max_length=4)
    created_at_ms: int = big()
    expires_at_ms: int | None = optional_big()  # the end of a rotation's overlap; null = as long as the key


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
