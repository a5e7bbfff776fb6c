"""Idempotency: what an `Idempotency-Key` made is found again for 24 hours, within one virtual key and one route.

The row is written in the transaction that makes the object, so that either both are there or none.
"""

from dataclasses import dataclass
from types import ModuleType

from sqlalchemy import BigInteger, Connection, bindparam, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import Executable

from store.tables import idempotency

KEPT_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's own name for one request."""

    key_id: bytes
    route: str
    """The path of the request, e.g. `/v1/batches`."""
    key_hash: bytes
    """SHA-256 of the header's value."""
    body_hash: bytes
    """SHA-256 of what was asked, so that the same name for something else is noticed."""


@dataclass(frozen=True, slots=True)
class Existing:
    """The same request was made before, and this is what it made."""

    object_id: bytes


@dataclass(frozen=True, slots=True)
class Conflict:
    """The name was used for another request."""


def take_key(connection: Connection, now_ms: int, key: IdempotencyKey, object_id: bytes) -> Existing | Conflict | None:
    """Bind a key to `object_id`, which this transaction makes; None when it is bound now, else what it is bound to.

    A concurrent transaction with the same key is waited for. A key past its time is free again.
    """
    row = {
        "key_id": key.key_id,
        "route": key.route,
        "key_hash": key.key_hash,
        "body_hash": key.body_hash,
        "object_id": object_id,
        "expires_at_ms": now_ms + KEPT_MS,
    }
    if connection.execute(_TAKE[connection.dialect.name], {**row, "now": now_ms}).first() is not None:
        return None
    query = select(idempotency.c.body_hash, idempotency.c.object_id).where(
        idempotency.c.key_id == key.key_id,
        idempotency.c.route == key.route,
        idempotency.c.key_hash == key.key_hash,
    )
    bound = connection.execute(query).one()
    return Existing(bound.object_id) if bound.body_hash == key.body_hash else Conflict()


def free_key(connection: Connection, key: IdempotencyKey, object_id: bytes) -> None:
    """Unbind a key from an object that was not made after all."""
    connection.execute(
        delete(idempotency).where(
            idempotency.c.key_id == key.key_id,
            idempotency.c.route == key.route,
            idempotency.c.key_hash == key.key_hash,
            idempotency.c.object_id == object_id,
        )
    )


def purge_keys(connection: Connection, now_ms: int) -> int:
    """Delete up to a thousand keys whose time is over; returns how many."""
    name = tuple_(idempotency.c.key_id, idempotency.c.route, idempotency.c.key_hash)
    is_old = idempotency.c.expires_at_ms <= now_ms
    old = select(idempotency.c.key_id, idempotency.c.route, idempotency.c.key_hash).where(is_old).limit(1_000)
    rows = [tuple(row) for row in connection.execute(old)]
    if rows:
        connection.execute(delete(idempotency).where(name.in_(rows), is_old))
    return len(rows)


def _take(dialect: ModuleType) -> Executable:
    statement = dialect.insert(idempotency)
    renewed = {name: statement.excluded[name] for name in ("body_hash", "object_id", "expires_at_ms")}
    take: Executable = statement.on_conflict_do_update(
        index_elements=["key_id", "route", "key_hash"],
        set_=renewed,
        where=idempotency.c.expires_at_ms <= bindparam("now", type_=BigInteger),
    ).returning(idempotency.c.object_id)
    return take


_TAKE = {"postgresql": _take(postgresql), "sqlite": _take(sqlite)}
