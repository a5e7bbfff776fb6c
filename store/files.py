"""The record of a stored file. Its bytes are in `store.contents`.

A file that is deleted or expired is hidden at once. Its bytes stay while an open batch reads them, and its row stays a
day longer without bytes and name, so that a list which stood at it can be paged on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, func, insert, or_, select, update

from router.lifecycle import BATCH_ACTIVE
from store.idempotency import Conflict, Existing, IdempotencyKey, take_key
from store.page import Owners, Page, Window, parts_of, read_page
from store.tables import batch, file, key

_CURSOR_KEPT_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file that its owner can see."""

    id: bytes
    key_id: bytes
    filename: str
    """The caller's own name of it; metadata, never a path."""
    purpose: str
    size_bytes: int
    created_at_ms: int
    expires_at_ms: int | None


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be recorded, once its bytes are stored."""

    file_id: bytes
    key_id: bytes
    filename: str
    purpose: str
    size_bytes: int
    expires_after_s: int | None
    """Counted from the creation of the record; None where the caller does not say."""
    keep_ms: int | None = None
    """How long it is kept where neither the caller nor its key says; None keeps it until it is deleted."""
    idempotency: IdempotencyKey | None = None


def insert_file_once(connection: Connection, now_ms: int, new: NewFile) -> FileRow | Conflict | None:
    """Record a file, unless the same upload under the same idempotency key made one: then that is returned.

    None: it made one that its owner deleted, or that expired. Where this file was not recorded, its bytes are to be
    removed.
    """
    before = None if new.idempotency is None else take_key(connection, now_ms, new.idempotency, new.file_id)
    if isinstance(before, Existing):
        return get_file(connection, now_ms, (new.key_id,), before.object_id)
    return before or insert_file(connection, now_ms, new)


def insert_file(connection: Connection, now_ms: int, new: NewFile) -> FileRow:
    """Record a file whose bytes are stored; from now on its owner sees it."""
    expires_at_ms = expiry(connection, now_ms, new.key_id, asked_s=new.expires_after_s, keep_ms=new.keep_ms)
    connection.execute(
        insert(file).values(
            id=new.file_id,
            key_id=new.key_id,
            filename=new.filename,
            purpose=new.purpose,
            bytes=new.size_bytes,
            created_at_ms=now_ms,
            expires_at_ms=expires_at_ms,
        )
    )
    return FileRow(new.file_id, new.key_id, new.filename, new.purpose, new.size_bytes, now_ms, expires_at_ms)


def expiry(
    connection: Connection, now_ms: int, key_id: bytes, *, asked_s: int | None, keep_ms: int | None
) -> int | None:
    """When a new file of a key expires: as its caller asked, but never later than the key's own time; None is never.

    `keep_ms` holds where neither says anything.
    """
    own_ms = connection.execute(select(key.c.keep_content_ms).where(key.c.id == key_id)).scalar()
    spans_ms = [each for each in (own_ms, None if asked_s is None else 1000 * asked_s) if each is not None]
    kept_ms = min(spans_ms) if spans_ms else keep_ms
    return None if kept_ms is None else now_ms + kept_ms


def get_file(
    connection: Connection, now_ms: int, owners: Owners, file_id: bytes, *, for_update: bool = False
) -> FileRow | None:
    """Find a file of these keys; None when it is missing, another key's, deleted or expired.

    `for_update` holds a deletion back until the transaction ends: for whoever is about to make a batch read it.
    """
    query = select(file).where(file.c.id == file_id, file.c.key_id.in_(owners), _visible(now_ms))
    row = connection.execute(query.with_for_update() if for_update else query).first()
    return None if row is None else _file_row(row)


def list_files(
    connection: Connection, now_ms: int, owners: Owners, window: Window, *, purpose: str | None = None
) -> Page[FileRow] | None:
    """List the files of these keys, of one purpose or all; None when the cursor is no file of theirs."""
    shown = _visible(now_ms) if purpose is None else and_(_visible(now_ms), file.c.purpose == purpose)
    owned, parts = file.c.key_id.in_(owners), parts_of(file.c.key_id, owners)
    return read_page(connection, file, window, owned=owned, parts=parts, shown=shown, make=_file_row)


def delete_file(connection: Connection, now_ms: int, owners: Owners, file_id: bytes) -> bool:
    """Hide a file of these keys for good; False when there is none to see. `file_contents_to_remove` has its bytes."""
    hidden = (
        update(file)
        .where(file.c.id == file_id, file.c.key_id.in_(owners), _visible(now_ms))
        .values(deleted_at_ms=now_ms)
        .returning(file.c.id)
    )
    return connection.execute(hidden).first() is not None


def may_remove_contents(connection: Connection, now_ms: int, file_id: bytes) -> bool:
    """Tell whether a file is gone for its owner and no open batch reads it."""
    query = select(file.c.id).where(file.c.id == file_id, ~_visible(now_ms), ~_read_by_an_open_batch())
    return connection.execute(query).first() is not None


def file_contents_to_remove(connection: Connection, now_ms: int, limit: int = 100) -> list[bytes]:
    """List files whose bytes may go now. Remove them from the contents first, then say so by `contents_removed`."""
    query = (
        select(file.c.id)
        .where(~_visible(now_ms), or_(file.c.bytes > 0, _gone_since() <= now_ms - _CURSOR_KEPT_MS))
        .where(~_read_by_an_open_batch())
        .order_by(file.c.id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def contents_removed(connection: Connection, now_ms: int, file_ids: Sequence[bytes]) -> None:
    """Note that the bytes of these files are gone: their names go too, and a day later their rows."""
    gone = and_(file.c.id.in_(file_ids), ~_visible(now_ms))
    connection.execute(delete(file).where(gone, _gone_since() <= now_ms - _CURSOR_KEPT_MS))
    connection.execute(update(file).where(gone).values(bytes=0, filename=""))


def _visible(now_ms: int) -> ColumnElement[bool]:
    alive = or_(file.c.expires_at_ms.is_(None), file.c.expires_at_ms > now_ms)
    return and_(file.c.deleted_at_ms.is_(None), alive)


def _gone_since() -> ColumnElement[int]:
    return func.coalesce(file.c.deleted_at_ms, file.c.expires_at_ms)


def _read_by_an_open_batch() -> ColumnElement[bool]:
    return exists().where(batch.c.input_file_id == file.c.id, batch.c.status.in_(sorted(BATCH_ACTIVE)))


def _file_row(row: Row[Any]) -> FileRow:
    return FileRow(
        id=row.id,
        key_id=row.key_id,
        filename=row.filename,
        purpose=row.purpose,
        size_bytes=row.bytes,
        created_at_ms=row.created_at_ms,
        expires_at_ms=row.expires_at_ms,
    )
