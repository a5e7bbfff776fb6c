"""The pepper's fingerprint: how a process finds out that its pepper is not the one that the keys were made with."""

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from store.tables import fact

_NAME = "pepper_fingerprint"


def settle_pepper(connection: Connection, _now_ms: int, fingerprint: str) -> bool:
    """Remember the first fingerprint for ever; returns whether `fingerprint` is the remembered one."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(fact).values(name=_NAME, value=fingerprint).on_conflict_do_nothing())
    known = connection.execute(select(fact.c.value).where(fact.c.name == _NAME)).scalar_one()
    return bool(known == fingerprint)
