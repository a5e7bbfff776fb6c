"""One page of a list, in the order of its ids: uuid7 ids are the time order with a tie-break inside.

A list of several owners is read owner by owner, each by its own index and none further than the page can reach, and
merged here: no database sorts a table for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, select, true

from store.tables import AnyRow

T = TypeVar("T")

Owners = tuple[bytes, ...]
"""Ids of the keys whose things a caller sees, its own first: several where its team shares."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which page is asked for."""

    after: bytes | None = None
    """The id of the last item that the caller has seen; None for the first page."""
    limit: int = 20
    newest_first: bool = True


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items and whether there are more behind them."""

    items: tuple[T, ...]
    has_more: bool


def read_page(
    connection: Connection,
    table: Table,
    window: Window,
    *,
    owned: ColumnElement[bool],
    parts: Sequence[ColumnElement[bool]] = (true(),),
    shown: ColumnElement[bool],
    make: Callable[[Row[Any]], T],
) -> Page[T] | None:
    """Read one page of the rows that are `owned` and `shown`; None when `window.after` is no owned row.

    `parts` is as in `read_parts`. A row that is no longer shown (deleted, expired) stays good as a cursor: a caller may
    delete what it has listed and then ask for the rest.
    """
    if window.after is not None:
        known = select(table.c.id).where(owned, table.c.id == window.after)
        if connection.execute(known).first() is None:
            return None
    query = behind(select(table).where(owned, shown), table.c.id, window)
    rows = read_parts(connection, query, table.c.id, window, parts)
    return Page(tuple(make(row) for row in rows[: window.limit]), len(rows) > window.limit)


def behind(query: Select[Any], place: ColumnElement[bytes], window: Window) -> Select[Any]:
    """Leave only the rows behind the cursor."""
    if window.after is None:
        return query
    return query.where(place < window.after if window.newest_first else place > window.after)


def read_parts(
    connection: Connection,
    query: Select[Any],
    place: ColumnElement[bytes],
    window: Window,
    parts: Sequence[ColumnElement[bool]],
) -> list[AnyRow]:
    """Read a page's rows, and one more that tells whether there is a next page, in the order of `place`, an id.

    `parts` are conditions of which each row fulfils one; under each an index has the rows in order. What one part has
    found bounds what is read of the next.
    """
    rows: list[AnyRow] = []
    for part in parts:
        piece = query.where(part).order_by(place.desc() if window.newest_first else place.asc()).limit(window.limit + 1)
        if len(rows) > window.limit:
            piece = piece.where(place > rows[-1].id if window.newest_first else place < rows[-1].id)
        rows += connection.execute(piece).all()
        rows.sort(key=lambda row: row.id, reverse=window.newest_first)  # two sorted runs: merged in one pass
        del rows[window.limit + 1 :]
    return rows


def parts_of(column: ColumnElement[bytes], owners: Owners) -> tuple[ColumnElement[bool], ...]:
    """One part for each owner."""
    return tuple(column == owner for owner in owners)
