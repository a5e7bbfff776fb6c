"""What is set aside for slices: for all their lines, from the hand-out until the claim or the end of the batch."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, literal_column, select, update

from router.outcome import LedgerKind
from store.budgets import Change, purses, read_tags, settle
from store.compiled import fetch
from store.reserved import HELD_COLUMNS, write_lines
from store.tables import batch, job, slices

_EMPTY = update(slices).where(slices.c.id == bindparam("b_id")).values(reserved_nanousd=literal_column("0"))
_TO_LINES = (
    update(job)
    .where(job.c.id.in_(bindparam("ids", expanding=True)))
    .values(reserved_nanousd=func.coalesce(job.c.estimate_nanousd, literal_column("0")))
    .returning(*HELD_COLUMNS)
)
_WHO_PAYS = select(batch.c.key_id, batch.c.tags_json).where(batch.c.id == bindparam("batch"))


def move_to_lines(
    connection: Connection, now_ms: int, slice_id: bytes, batch_id: bytes, nanousd: int, job_ids: Sequence[bytes]
) -> None:
    """Give each claimed line its part of what is set aside for its slice; what was for others goes back."""
    connection.execute(_EMPTY, {"b_id": slice_id})
    lines = connection.execute(_TO_LINES, {"ids": job_ids}).all() if job_ids else []
    write_lines(connection, now_ms, LedgerKind.RESERVE, lines)
    give_back_slices(connection, now_ms, batch_id, nanousd - sum(line.reserved_nanousd for line in lines))


def give_back_slices(connection: Connection, now_ms: int, batch_id: bytes, nanousd: int) -> None:
    """Give back what was set aside for lines of a batch that do not run any more; the slices are the caller's to clear.

    No line of the ledger says so: it has none of the reservation, which never became a job's.
    """
    if not nanousd:
        return
    ((key_id, tags_json),) = fetch(connection, _WHO_PAYS, {"batch": batch_id})
    paying = purses(connection, [key_id])[key_id].payers(read_tags(tags_json), batch_id)
    settle(connection, now_ms, {payer: Change(released_nanousd=nanousd) for payer in paying})
