"""Bulk writes: one statement for many rows, handed to the driver without SQLAlchemy's work on every single row.

SQLAlchemy's own executemany prepares a dictionary of parameters per row: a third of the CPU of a finish group.
Here the statement is compiled once per connection and each row becomes one tuple. So a bulk statement must name every
value as a `bindparam`, and its column types must need no conversion (ours are integers, text and raw bytes).
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Table, bindparam, column, func, insert, literal_column, select, values
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql import Executable, Insert
from sqlalchemy.sql.expression import FromClause

from store.compiled import Row, compiled, driver, wrapped

_GROUPS_ROWS = (256, 16, 1)
"""How many rows a statement inserts on SQLite: the driver lets the other threads go on once for each statement."""
Rows = Sequence[dict[str, Any]]
"""One dictionary per row, by the names of the statement's bind parameters."""


@dataclass(frozen=True, slots=True, eq=False)
class Insertion:
    """Where new rows go; see `insertion`."""

    table: Table
    columns: Sequence[str]
    shared: Sequence[str]
    from_arrays: Executable
    """All rows in one statement, each column as an array, for PostgreSQL: half the work of a message for each row."""


def insertion(table: Table, columns: Sequence[str], *, shared: Sequence[str] = ()) -> Insertion:
    """Rows that give these columns, and some in which all rows of a call are alike; all others are 0 or null.

    What is shared is bound once for many rows: that halves the work of a wide row.
    """
    arrays = [bindparam(name, type_=ARRAY(table.c[name].type, dimensions=1)) for name in columns]
    source = func.unnest(*arrays).table_valued(*columns).render_derived()
    return Insertion(table, columns, shared, _insert_from(source, table, shared))


def insert_many(
    connection: Connection, into: Insertion, rows: Sequence[Row], shared: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Insert rows, `into` being a module's constant; does nothing without rows.

    Each row holds the values of the insertion's columns in their order; `shared` holds those of its shared columns.
    """
    if connection.dialect.name == "sqlite":
        _insert_in_groups(connection, into, rows, [shared[name] for name in into.shared])
    elif rows:
        columns = zip(into.columns, zip(*rows, strict=True), strict=True)
        connection.execute(into.from_arrays, dict(columns) | dict(shared))


def _insert_in_groups(connection: Connection, into: Insertion, rows: Sequence[Row], shared: list[Any]) -> None:
    execute, start = driver(connection).execute, 0
    try:
        for size in _GROUPS_ROWS:
            while len(rows) - start >= size:
                given = chain.from_iterable(rows[start : start + size])
                execute(_insert_sql(connection, into, size), [*given, *shared])
                start += size
    except sqlite3.Error as error:
        raise wrapped(error) from error


def _insert_sql(connection: Connection, into: Insertion, rows: int) -> str:
    """The statement for so many rows, once per connection: that for one, with the places of its values repeated."""
    cache: dict[tuple[Insertion, int], str] = connection.info.setdefault("insertions", {})
    found = cache.get((into, rows))
    if found is None:
        row: Row = tuple(bindparam(f"{name}_given") for name in into.columns)
        source = values(*map(column, into.columns), name="given").data([row]).cte()
        rendered = str(_insert_from(source, into.table, into.shared).compile(dialect=connection.dialect))
        places = f"({', '.join('?' for _ in row)})"
        found = cache[into, rows] = rendered.replace(places, ", ".join([places] * rows), 1)
    return found


def _insert_from(source: FromClause, table: Table, shared: Sequence[str]) -> Insert:
    given: dict[str, Any] = {each.name: each for each in source.c}
    given |= {name: bindparam(name, type_=table.c[name].type) for name in shared}
    zeros: dict[str, Any] = {each.name: literal_column("0") for each in table.c if each.default is not None}
    named = given | {name: zero for name, zero in zeros.items() if name not in given}
    return insert(table).from_select(list(named), select(*named.values()), include_defaults=False)


def execute_many(connection: Connection, statement: Executable, rows: Rows) -> None:
    """Run `statement` once for each row; does nothing without rows.

    `statement` must be a module's constant: it is compiled once per connection, by identity.
    """
    if not rows:
        return
    known = compiled(connection, statement)
    tuples = [known.row_of(row) for row in rows]
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(known.sql, tuples)
        return
    try:
        driver(connection).executemany(known.sql, tuples)
    except sqlite3.Error as error:
        raise wrapped(error) from error
