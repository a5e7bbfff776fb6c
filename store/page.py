"""One page of a list, in the order of its ids: uuid7 ids are the time order with a tie-break inside."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, select

T = TypeVar("T")


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
    shown: ColumnElement[bool],
    make: Callable[[Row[Any]], T],
) -> Page[T] | None:
    """Read one page of the rows that are `owned` and `shown`; None when `window.after` is no owned row.

    A row that is no longer shown (deleted, expired) stays good as a cursor: a caller may delete what it has listed and
    then ask for the rest.
    """
    if window.after is not None:
        known = select(table.c.id).where(owned, table.c.id == window.after)
        if connection.execute(known).first() is None:
            return None
    order = table.c.id.desc() if window.newest_first else table.c.id.asc()
    query = select(table).where(owned, shown).order_by(order).limit(window.limit + 1)
    if window.after is not None:
        query = query.where(table.c.id < window.after if window.newest_first else table.c.id > window.after)
    rows = connection.execute(query).all()
    return Page(tuple(make(row) for row in rows[: window.limit]), len(rows) > window.limit)
