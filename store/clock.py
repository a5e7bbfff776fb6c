"""The database's clock, in whole milliseconds since 1970: the only time that leases and deadlines know.

SQLite's is this host's own, on which its file lies: it would ask the same clock, at the price of a statement.
"""

import time

from sqlalchemy import Connection

_POSTGRES = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"


def now_ms(connection: Connection) -> int:
    """Ask what time it is in the database."""
    return host_ms() if connection.dialect.name == "sqlite" else int(connection.exec_driver_sql(_POSTGRES).scalar_one())


def host_ms() -> int:
    """This host's time: that of a SQLite database."""
    return time.time_ns() // 1_000_000
