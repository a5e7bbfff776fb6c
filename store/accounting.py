"""Accounting: what settled attempts cost goes to the ledger and to the key's spend, in their own transaction."""

from collections import defaultdict
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import Executable

from router.outcome import CostBasis, LedgerKind
from store.bulk import execute_many
from store.settlement import Abandoned, Settlement
from store.tables import key, ledger


def _upsert(dialect: ModuleType) -> Executable:
    statement = dialect.insert(ledger)
    changed = {
        "amount_nanousd": statement.excluded.amount_nanousd,
        "basis": statement.excluded.basis,
        "price_version": statement.excluded.price_version,
    }
    upsert: Executable = statement.on_conflict_do_update(index_elements=["job_id", "n", "kind"], set_=changed)
    return upsert


_SPEND = (
    update(key).where(key.c.id == bindparam("b_id")).values(spent_nanousd=key.c.spent_nanousd + bindparam("b_spent"))
)
_UPSERT = {"postgresql": _upsert(postgresql), "sqlite": _upsert(sqlite)}


def charge(connection: Connection, now_ms: int, settled: Sequence[Settlement]) -> None:
    """Write one settle line for every attempt that cost something or may have.

    A line of unknown amount (null) is replaced when the truth arrives late, be it 0; a known one is never settled
    again.
    """
    lines = [_line(each, now_ms) for each in settled if is_charged(each)]
    if not lines:
        return
    write_settle_lines(connection, lines)
    spent: dict[bytes, int] = defaultdict(int)
    for line in lines:
        spent[line["key_id"]] += line["amount_nanousd"] or 0
    execute_many(connection, _SPEND, [{"b_id": each, "b_spent": spent[each]} for each in sorted(spent) if spent[each]])


def write_settle_lines(connection: Connection, lines: list[dict[str, Any]]) -> None:
    """Insert settle lines; a late one replaces the amount of its exposure line."""
    execute_many(connection, _UPSERT[connection.dialect.name], lines)


def exposure_line(job_id: bytes, n: int, key_id: bytes, batch_id: bytes | None, now_ms: int) -> dict[str, Any]:
    """Make the line of an attempt whose cost nobody knows yet."""
    return {
        "job_id": job_id,
        "n": n,
        "kind": LedgerKind.SETTLE,
        "key_id": key_id,
        "batch_id": batch_id,
        "at_ms": now_ms,
        "amount_nanousd": None,
        "basis": CostBasis.UNKNOWN,
        "price_version": None,
    }


def is_charged(settled: Settlement) -> bool:
    """Whether an attempt has a settle line: it cost something, or may have, or was taken for one that may."""
    return settled.cost_basis != CostBasis.NONE or isinstance(settled.verdict, Abandoned)


def _line(settled: Settlement, now_ms: int) -> dict[str, Any]:
    line = exposure_line(settled.job_id, settled.n, settled.key_id, settled.batch_id, now_ms)
    amount = 0 if settled.cost_basis == CostBasis.NONE else settled.cost_nanousd
    return line | {"amount_nanousd": amount, "basis": settled.cost_basis, "price_version": settled.price_version}
