"""Keeping: one worker at a time loads a batch's lines or writes its files, under a lease on the batch's row."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, select, update

from router.lifecycle import BatchStatus
from store.progress import ready_to_write
from store.tables import batch


class Chore(StrEnum):
    """What a batch needs a keeper for."""

    VALIDATE = "validate"
    LOAD = "load"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class KeptBatch:
    """A batch that this worker keeps just now."""

    id: bytes
    key_id: bytes
    endpoint: str
    input_file_id: bytes
    closing: str | None
    total: int
    loaded: int
    expires_at_ms: int
    output_expires_after_s: int | None
    tags_json: str | None
    """Of all its lines."""
    redrive_json: str | None = None
    """Set: its input file is, or was, made of lines of another batch."""
    coalesce: str | None = None
    """`router.coalescing.Coalesce`: which of its lines share one call."""


_NEEDS: dict[Chore, ColumnElement[bool]] = {
    Chore.VALIDATE: batch.c.status.in_((BatchStatus.VALIDATING, BatchStatus.CANCELLING))
    & batch.c.validated_at_ms.is_(None),
    Chore.LOAD: batch.c.status.in_((BatchStatus.IN_PROGRESS, BatchStatus.CANCELLING))
    & batch.c.validated_at_ms.is_not(None)
    & (batch.c.loaded < batch.c.total),
    Chore.WRITE: ready_to_write,
}


def needs_keeper(chore: Chore, now_ms: ColumnElement[int] | int) -> ColumnElement[bool]:
    """A batch that needs this chore and that nobody keeps."""
    return _NEEDS[chore] & (batch.c.keeper_until_ms < now_ms)


def keep_one(connection: Connection, now_ms: int, chore: Chore, worker_id: bytes, lease_ms: int) -> KeptBatch | None:
    """Take the oldest batch that needs this chore and that nobody keeps; None when there is none."""
    chosen = (
        select(batch.c.id)
        .where(needs_keeper(chore, now_ms))
        .order_by(batch.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    batch_id = connection.execute(chosen).scalar()
    if batch_id is None:
        return None
    row = connection.execute(
        update(batch)
        .where(batch.c.id == batch_id)
        .values(keeper=worker_id, keeper_until_ms=now_ms + lease_ms)
        .returning(
            batch.c.id, batch.c.key_id, batch.c.endpoint, batch.c.input_file_id, batch.c.closing, batch.c.total,
            batch.c.loaded, batch.c.expires_at_ms, batch.c.output_expires_after_s, batch.c.tags_json,
            batch.c.redrive_json, batch.c.coalesce,
        )
    ).one()  # fmt: skip
    return KeptBatch(*row)


def keep_on(connection: Connection, now_ms: int, batch_id: bytes, worker_id: bytes, lease_ms: int) -> bool:
    """Renew the keeper's lease; False when another worker keeps the batch now."""
    return bool(
        connection.execute(
            update(batch)
            .where(batch.c.id == batch_id, batch.c.keeper == worker_id)
            .values(keeper_until_ms=now_ms + lease_ms)
        ).rowcount
    )


def let_go(connection: Connection, _now_ms: int, batch_id: bytes, worker_id: bytes) -> None:
    """Give the batch back, so that the next chore need not wait for the lease to run out."""
    connection.execute(
        update(batch).where(batch.c.id == batch_id, batch.c.keeper == worker_id).values(keeper=None, keeper_until_ms=0)
    )
