"""The pepper's fingerprint: how a process finds out that its pepper is not the one that the keys were made with."""

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from store.tables import fact

_NAME = "pepper_fingerprint"


def settle_pepper(connection: Connection, _now_ms: int, fingerprint: str, *others: str) -> bool:
    """Remember the first fingerprint, until a pepper comes that has the remembered one's beside it (`others`).

    Returns whether this pepper may be used: it is the remembered one, or follows it.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(fact).values(name=_NAME, value=fingerprint).on_conflict_do_nothing())
    known = connection.execute(select(fact.c.value).where(fact.c.name == _NAME)).scalar_one()
    if known in others:
        connection.execute(update(fact).where(fact.c.name == _NAME).values(value=fingerprint))
    return known in (fingerprint, *others)
