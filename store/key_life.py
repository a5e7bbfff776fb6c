"""The life of a virtual key: rotated, blocked and unblocked, revoked, deleted.

What it made, what it spent and what it is limited to hang on its id, which never changes: a rotation changes none of
it. An act that finds everything as it wants it does nothing, and is not written into the audit log.
"""

from typing import Any

from sqlalchemy import Connection, delete, insert, or_, update

from store.ids import MASTER_KEY_ID
from store.key_rows import KeyRow, get_key, lock_key
from store.keys import NotDone, Refused, beyond, note_key
from store.tables import key, key_secret


def rotate_key(
    connection: Connection,
    now_ms: int,
    key_id: bytes,
    *,
    digest: bytes,
    last4: str,
    overlap_ms: int,
    by: bytes = MASTER_KEY_ID,
) -> KeyRow | Refused:
    """Give a key another secret; those that it has end after the overlap, or when they were to end before that.

    Who gets to know a key's secret can do what the key can, so no key may rotate one that has more than itself.
    """
    row = lock_key(connection, now_ms, key_id, by=by)
    if row is None or row.revoked_at_ms is not None:
        return NotDone.NO_KEY if row is None else NotDone.REVOKED
    if refused := beyond(connection, by, row.grant):
        return refused
    end_ms = now_ms + overlap_ms
    own, ends = key_secret.c.key_id == key_id, key_secret.c.expires_at_ms
    connection.execute(delete(key_secret).where(own, ends <= now_ms))
    connection.execute(update(key_secret).where(own, or_(ends.is_(None), ends > end_ms)).values(expires_at_ms=end_ms))
    connection.execute(insert(key_secret).values(digest=digest, key_id=key_id, last4=last4, created_at_ms=now_ms))
    note_key(connection, now_ms, by, "rotated", key_id, {"overlap_s": overlap_ms // 1000})
    return _now(connection, now_ms, key_id)


def block_key(connection: Connection, now_ms: int, key_id: bytes, *, by: bytes = MASTER_KEY_ID) -> KeyRow | Refused:
    """Refuse a key until it is unblocked. Repeatable."""
    row = lock_key(connection, now_ms, key_id, by=by)
    if row is not None and row.blocked_at_ms is None:
        return _change(connection, now_ms, key_id, by, "blocked", blocked_at_ms=now_ms)
    return row or NotDone.NO_KEY


def unblock_key(connection: Connection, now_ms: int, key_id: bytes, *, by: bytes = MASTER_KEY_ID) -> KeyRow | Refused:
    """End a block. Repeatable; a revoked key stays revoked."""
    row = lock_key(connection, now_ms, key_id, by=by)
    if row is not None and row.blocked_at_ms is not None:
        return _change(connection, now_ms, key_id, by, "unblocked", blocked_at_ms=None)
    return row or NotDone.NO_KEY


def revoke_key(connection: Connection, now_ms: int, key_id: bytes, *, by: bytes = MASTER_KEY_ID) -> KeyRow | Refused:
    """End a key for good. Repeatable."""
    row = lock_key(connection, now_ms, key_id, by=by)
    if row is not None and row.revoked_at_ms is None:
        return _change(connection, now_ms, key_id, by, "revoked", revoked_at_ms=now_ms)
    return row or NotDone.NO_KEY


def delete_key(connection: Connection, now_ms: int, key_id: bytes, *, by: bytes = MASTER_KEY_ID) -> bool:
    """End a key for good and take it out of the lists; False when there is none. What it made and spent stays."""
    row = lock_key(connection, now_ms, key_id, by=by)
    if row is None:
        return False
    ends = {"revoked_at_ms": now_ms if row.revoked_at_ms is None else row.revoked_at_ms, "deleted_at_ms": now_ms}
    connection.execute(update(key).where(key.c.id == key_id).values(**ends))
    note_key(connection, now_ms, by, "deleted", key_id)
    return True


def _change(connection: Connection, now_ms: int, key_id: bytes, by: bytes, what: str, **values: Any) -> KeyRow:
    connection.execute(update(key).where(key.c.id == key_id).values(**values))
    note_key(connection, now_ms, by, what, key_id)
    return _now(connection, now_ms, key_id)


def _now(connection: Connection, now_ms: int, key_id: bytes) -> KeyRow:
    row = get_key(connection, now_ms, key_id)
    assert row is not None, "it is locked, so nobody has deleted it"
    return row
