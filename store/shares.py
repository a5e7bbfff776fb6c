"""Shares: the keys' virtual times as they are stored; `router.turns` says what they mean."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CTE, BigInteger, Connection, Select, bindparam, select, update

from store.bulk import execute_many
from store.tables import key

_SERVED = update(key).where(key.c.id == bindparam("b_id")).values(served=bindparam("b_served", type_=BigInteger))


def shares_of(keys: CTE) -> Select[Any]:
    """Select what makes a `Share` of each key of a table with the column `value`."""
    return select(key.c.id, key.c.weight, key.c.served).join_from(keys, key, key.c.id == keys.c.value)


def remember(connection: Connection, served: Mapping[bytes, int]) -> None:
    """Store new virtual times.

    Done right before the commit, and in the order of the ids: groups that finish jobs write to the same rows.
    """
    execute_many(connection, _SERVED, [{"b_id": each, "b_served": served[each]} for each in sorted(served)])
