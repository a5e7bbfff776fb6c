"""The database's clock, in whole milliseconds since 1970: the only time that leases and deadlines know."""

from sqlalchemy import Connection

_SQLITE = "SELECT CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER)"
_POSTGRES = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"


def now_ms(connection: Connection) -> int:
    """Ask the database what time it is."""
    statement = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES
    return int(connection.exec_driver_sql(statement).scalar_one())
