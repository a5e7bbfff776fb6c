"""Bulk writes: one statement for many rows, handed to the driver without SQLAlchemy's work on every single row.

SQLAlchemy's own executemany prepares a dictionary of parameters per row: a third of the CPU of a finish group.
Here the statement is compiled once per connection and each row becomes one tuple. So a bulk statement must name every
value as a `bindparam`, and its column types must need no conversion (ours are integers, text and raw bytes).
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.sql import Executable

from store.compiled import compiled, driver, wrapped

Rows = Sequence[dict[str, Any]]
"""One dictionary per row, by the names of the statement's bind parameters."""


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
