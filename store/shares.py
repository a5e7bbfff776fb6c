"""Shares: the keys' virtual times as they are stored; `router.turns` says what they mean."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CTE, BigInteger, Connection, Select, bindparam, select, update

from router.turns import Share
from store.bulk import execute_many
from store.compiled import Row
from store.tables import key

_SERVED = update(key).where(key.c.id == bindparam("b_id")).values(served=bindparam("b_served", type_=BigInteger))


def shares_of(keys: CTE) -> Select[Any]:
    """Select what makes a `Share` of each key of a table with the column `value`."""
    return select(key.c.id, key.c.weight, key.c.served).join_from(keys, key, key.c.id == keys.c.value)


class Served:
    """The virtual times of one hand-out. They are written once, after budgets and before batches are locked."""

    def __init__(self) -> None:
        self._new: dict[bytes, int] = {}

    def share(self, row: Row) -> Share:
        """Make a share of a row of `shares_of`, with what the key was given in this hand-out before."""
        stored: int = row[2]
        return Share(row[0], row[1], self._new.get(row[0], stored))

    def add(self, served: Mapping[bytes, int]) -> None:
        """Note new virtual times."""
        self._new |= served

    def write(self, connection: Connection) -> None:
        """Store them, in the order of the ids: groups that finish jobs write to the same rows."""
        rows = [{"b_id": each, "b_served": self._new[each]} for each in sorted(self._new)]
        execute_many(connection, _SERVED, rows)
