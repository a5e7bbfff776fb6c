"""The epoch: which life of Redis the publishes were made into.

The name of the current life stands in Redis beside the queues and vanishes with them; SQL remembers the one it
published into. When they differ, everything unclaimed is to be published again, and exactly one worker says so.
"""

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from store.resends import forget_publishes
from store.tables import fact

_NAME = "redis_epoch"
remembered_epoch = select(fact.c.value).where(fact.c.name == _NAME)
"""The epoch that SQL publishes into."""


def enter_epoch(connection: Connection, now_ms: int, epoch: str) -> bool:
    """Make `epoch` the one that SQL publishes into; returns True when that was news and publishes were forgotten."""
    known = connection.execute(remembered_epoch.with_for_update()).scalar()
    if known == epoch:
        return False
    if known is None:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(fact).values(name=_NAME, value=epoch).on_conflict_do_nothing())
    else:
        connection.execute(update(fact).where(fact.c.name == _NAME).values(value=epoch))
    forget_publishes(connection, now_ms)
    return True
