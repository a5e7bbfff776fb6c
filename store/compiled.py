"""Compiled statements: the constants of the hot paths, rendered once per connection and handed straight to the driver.

A statement through SQLAlchemy's execution costs several times what SQLite itself needs for it. Here it is compiled
once per connection, by identity, and from then on a call is the driver's own `execute` with a tuple of values. On
PostgreSQL, where a round trip outweighs all of this, single statements go through SQLAlchemy as usual. Column types
must need no conversion (ours are integers, text and raw bytes), and every value must be a bind parameter or a literal.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler

Row = tuple[Any, ...]
Values = Mapping[str, Any]
"""By the names of the statement's bind parameters; a list or tuple for one that expands (`IN`)."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement as one driver takes it."""

    sql: str
    row_of: Callable[[Values], Any]
    """The driver's tuple for one dictionary of values; for statements without an expanding parameter."""


def fetch(connection: Connection, statement: Executable, values: Values) -> Sequence[Row]:
    """Run a statement once and return its rows. `statement` must be a module's constant."""
    if connection.dialect.name != "sqlite":
        return connection.execute(statement, values).all()
    sql, names, constants = _expanded(connection, statement, values)
    flat = constants | _flat(values)
    try:
        return driver(connection).execute(sql, [flat[name] for name in names]).fetchall()
    except sqlite3.Error as error:
        raise wrapped(error) from error


def compiled(connection: Connection, statement: Executable) -> Compiled:
    """Compile a statement of plain parameters, once per connection."""
    cache: dict[Executable, Compiled] = connection.info.setdefault("compiled", {})
    found = cache.get(statement)
    if found is None:
        rendered = _render(connection, statement)
        names = rendered.positiontup or []
        assert names, "a statement without parameters is no bulk statement"
        row_of = itemgetter(*names) if len(names) > 1 else _only(names[0])
        found = cache[statement] = Compiled(str(rendered), row_of)
    return found


def driver(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection underneath."""
    raw = connection.connection.dbapi_connection
    return cast(sqlite3.Connection, raw)


def wrapped(error: sqlite3.Error) -> Exception:
    """Make of the driver's error the one that SQLAlchemy would have raised, without the bound values."""
    made: Exception = DBAPIError.instance("", None, error, sqlite3.Error, hide_parameters=True)
    return made


_Expanded = tuple[str, Sequence[str], dict[str, Any]]
"""The statement, its parameters in order, and those of them that are constants."""


def _expanded(connection: Connection, statement: Executable, values: Values) -> _Expanded:
    """Render with as many places as the next power of two asks for, so that few shapes are ever rendered."""
    lists = [(name, len(value)) for name, value in values.items() if isinstance(value, (list, tuple))]
    shape = (statement, *(_power_of_two(size) for _, size in lists))
    cache: dict[tuple[Any, ...], _Expanded] = connection.info.setdefault("expanded", {})
    found = cache.get(shape)
    if found is None:
        sample = dict(values) | {name: [None] * _power_of_two(size) for name, size in lists}
        state = _render(connection, statement).construct_expanded_state(sample)
        given = {each for name in values for each in state.parameter_expansion.get(name, (name,))}
        constants = {name: value for name, value in state.parameters.items() if name not in given}
        found = cache[shape] = (state.statement, state.positiontup or (), constants)
    return found


def _render(connection: Connection, statement: Executable) -> SQLCompiler:
    rendered = statement.compile(dialect=connection.dialect)  # type: ignore[attr-defined]
    assert isinstance(rendered, SQLCompiler)
    return rendered


def _only(name: str) -> Callable[[Values], Any]:
    """What `itemgetter` is for two and more: the tuple of one value."""
    return lambda values: (values[name],)


def _flat(values: Values) -> dict[str, Any]:
    """Name each value of the lists, too: the last one is repeated up to the next power of two."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, (list, tuple)):
            missing = _power_of_two(len(value)) - len(value)
            padded = (*value, *repeat(value[-1] if value else None, missing))
            flat.update((f"{name}_{place}", each) for place, each in enumerate(padded, 1))
        else:
            flat[name] = value
    return flat


def _power_of_two(size: int) -> int:
    return 1 << max(size - 1, 0).bit_length()
