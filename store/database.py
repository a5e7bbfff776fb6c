"""The database: one door for every query, the same for SQLite and PostgreSQL.

A query is a synchronous function `query(connection, now_ms, ...)`. `Database.write` runs it inside one transaction
with the database's own time as `now_ms`; `Database.read` likewise, without the write lock.

On SQLite a query runs whole on one thread, so its statements cost no hop each: one thread owns the only writing
connection of the process (`BEGIN IMMEDIATE`, so a write never upgrades a read), two more read. On PostgreSQL it runs
through `run_sync` on an asyncpg connection. Transactions that PostgreSQL rolls back for a deadlock are run again.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from store.clock import now_ms
from store.postgres_session import notice_silence
from store.sqlite import SqliteThreads, wipe_log

T = TypeVar("T")
P = ParamSpec("P")
Query = Callable[Concatenate[Connection, int, P], T]

_READERS = 2
_OVERFLOW = 4
_CONNECT_S = 5
_COMMAND_S = 30
_ROLLED_BACK = {"40001", "40P01"}  # serialization failure, deadlock: PostgreSQL undid everything, run it again
_NOT_NOW = {"25006", "55P03", "57014", "57P01", "57P02", "57P03"}  # read only, locked, cancelled, going down, coming up
_NOT_NOW_CLASSES = {"08", "53"}  # connection lost; out of connections, memory or disk
UNWRITABLE = (DataError, IntegrityError, OverflowError, UnicodeEncodeError)
"""What a write raises when a row of it can never be written, however often it is tried."""


class StoreUnavailable(Exception):
    """The database cannot be used just now (locked for seconds, gone, restarting). Nothing is known to be written."""


@dataclass(frozen=True, slots=True)
class ConnectionUse:
    """How busy a process's connections to the database are."""

    busy: int
    """In use; where callers wait for one they count, too."""
    most: int
    """As many as there can be."""


class Database(Protocol):
    """Runs queries. Both methods raise `StoreUnavailable` where waiting a little and asking again may help."""

    async def write(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `query(connection, now_ms, ...)` in one transaction and commit it."""
        ...

    async def read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `query(connection, now_ms, ...)` on one consistent view, without writing."""
        ...

    async def wipe_log(self) -> bool:
        """Make deleted rows vanish from the database's log, too; False when that has to be asked for again."""
        ...

    def use(self) -> ConnectionUse:
        """Tell how busy the connections are."""
        ...

    async def close(self) -> None:
        """Give all connections back. Nothing may be asked afterwards."""
        ...


def open_database(url: str) -> Database:
    """Open `sqlite:///path` or `postgresql+asyncpg://...`; raises ValueError on any other kind."""
    backend = make_url(url).get_backend_name()
    if backend == "sqlite":
        return SqliteDatabase(url)
    if backend == "postgresql":
        return PostgresDatabase(url)
    raise ValueError(f"database URL of kind {backend!r}: use sqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME")


class SqliteDatabase:
    """SQLite in WAL mode, `synchronous=FULL`: a commit survives a kill and a power cut."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._writer = SqliteThreads(url, "sqlite-write", count=1, immediate=True)
        self._readers = SqliteThreads(url, "sqlite-read", count=_READERS, immediate=False)

    async def write(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _on_sqlite(self._writer, query, *args, **kwargs)

    async def read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _on_sqlite(self._readers, query, *args, **kwargs)

    async def wipe_log(self) -> bool:
        try:
            return await asyncio.to_thread(wipe_log, self._url)
        except OperationalError as error:
            raise StoreUnavailable(f"SQLite: {error.orig}") from error

    def use(self) -> ConnectionUse:
        return ConnectionUse(self._writer.under_way + self._readers.under_way, 1 + _READERS)

    async def close(self) -> None:
        await self._writer.close()
        await self._readers.close()


async def _on_sqlite(threads: SqliteThreads, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return await threads.run(lambda connection, now: query(connection, now, *args, **kwargs))
    except OperationalError as error:
        raise StoreUnavailable(f"SQLite: {error.orig}") from error


class PostgresDatabase:
    """PostgreSQL through asyncpg, for one host or many."""

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        self._most = pool_size + _OVERFLOW
        self._engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=_OVERFLOW,
            pool_use_lifo=True,  # a process at rest uses one, which knows its statements, and not all in turn
            hide_parameters=True,
            connect_args={"timeout": _CONNECT_S, "command_timeout": _COMMAND_S},
        )
        notice_silence(self._engine)

    async def write(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _on_postgres(self._engine, query, *args, **kwargs)

    async def read(self, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _on_postgres(self._engine, query, *args, **kwargs)

    async def wipe_log(self) -> bool:
        return True  # the server's own: VACUUM and its log's recycling are its operator's (docs/privacy.md)

    def use(self) -> ConnectionUse:
        pool = cast(QueuePool, self._engine.pool)
        return ConnectionUse(pool.checkedout(), self._most)

    async def close(self) -> None:
        await self._engine.dispose()


async def _on_postgres(engine: AsyncEngine, query: Query[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    for tries_left in (2, 1, 0):
        begun = False

        def transaction(connection: Connection) -> T:
            nonlocal begun
            now = now_ms(connection)
            begun = True  # the connection is alive: from here on something may have been written
            return query(connection, now, *args, **kwargs)

        try:
            async with engine.begin() as connection:
                return await connection.run_sync(transaction)
        except DBAPIError as error:
            if tries_left and _nothing_happened(error, begun=begun):
                continue
            if _is_passing(error):
                raise StoreUnavailable(f"PostgreSQL: {type(error.orig).__name__}") from error
            raise
        except (PoolTimeout, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"PostgreSQL: {type(error).__name__}") from error
    raise AssertionError("unreachable")


def _nothing_happened(error: DBAPIError, *, begun: bool) -> bool:
    """Whether the transaction surely left no trace and may be run again.

    PostgreSQL undid it for a deadlock, or the pooled connection had died before its first statement.
    """
    return _sqlstate(error) in _ROLLED_BACK or (error.connection_invalidated and not begun)


def _is_passing(error: DBAPIError) -> bool:
    """Whether the database, not the statement, is at fault, so that waiting may help."""
    state = _sqlstate(error)
    return (
        error.connection_invalidated
        or isinstance(error, (OperationalError, InterfaceError))
        or isinstance(error.orig, (OSError, TimeoutError))
        or state in _ROLLED_BACK
        or state in _NOT_NOW
        or state[:2] in _NOT_NOW_CLASSES
    )


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
