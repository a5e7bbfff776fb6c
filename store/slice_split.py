"""Splitting: the first lines of a waiting slice become a slice of their own; the rest keeps its place in the order.

Slices go out in the order of their ids, so it is the part that goes now that gets a new one.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, func, insert, literal_column, select, update

from store.bulk import execute_many
from store.compiled import fetch
from store.ids import new_id
from store.tables import job, slices
from store.tables.columns import ID

_LINES = (
    select(job.c.id, func.coalesce(job.c.estimate_nanousd, literal_column("0")))
    .where(job.c.slice_id == bindparam("slice"))
    .order_by(job.c.line_no)
    .with_for_update(skip_locked=True)
)
_SAME = ("key_id", "batch_id", "route", "route_index", "queue", "failover")
_PART = insert(slices).from_select(
    ["id", "jobs", "estimate_nanousd", "reserved_nanousd", "publish_n", *_SAME],
    select(
        bindparam("new", type_=ID),
        bindparam("jobs", type_=BigInteger),
        bindparam("estimate", type_=BigInteger),
        literal_column("0"),
        literal_column("0"),
        *(slices.c[name] for name in _SAME),
    ).where(slices.c.id == bindparam("old")),
)
_REST = (
    update(slices)
    .where(slices.c.id == bindparam("old"))
    .values(
        jobs=slices.c.jobs - bindparam("b_jobs", type_=BigInteger),
        estimate_nanousd=slices.c.estimate_nanousd - bindparam("b_estimate", type_=BigInteger),
    )
)
_MOVE = update(job).where(job.c.id == bindparam("b_id")).values(slice_id=bindparam("b_slice", type_=ID))


class Line(NamedTuple):
    """A line of a slice."""

    id: bytes
    estimate_nanousd: int
    """0 where it is not known."""


def lines_of(connection: Connection, slice_id: bytes) -> list[Line]:
    """Lock and list the lines of a slice in the order of the file; those that somebody else holds are left out.

    It never waits: whoever ends lines may wait for budgets that this transaction is about to lock.
    """
    return [Line(*row) for row in fetch(connection, _LINES, {"slice": slice_id})]


def split_slice(connection: Connection, slice_id: bytes, lines: Sequence[Line]) -> bytes:
    """Make a slice of these lines, which `lines_of` has locked; returns its id."""
    part_id = new_id()
    estimate = sum(line.estimate_nanousd for line in lines)
    connection.execute(_PART, {"new": part_id, "jobs": len(lines), "estimate": estimate, "old": slice_id})
    connection.execute(_REST, {"old": slice_id, "b_jobs": len(lines), "b_estimate": estimate})
    execute_many(connection, _MOVE, [{"b_id": line.id, "b_slice": part_id} for line in lines])
    return part_id
