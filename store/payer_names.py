"""The names of payers: what people call the keys and teams behind their ids, and how payers are spelled outside.

Outside a payer is `key:key_...`, `team:team_...`, `batch:batch_...` or `tag:` and the tag, which is its own name.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sqlalchemy import Connection, Table, select

from router.budget import Payer, PayerKind
from router.wishes import is_tag
from store.ids import Prefix, public_id, raw_id
from store.tables import key, team

_PREFIXES: Mapping[PayerKind, Prefix] = MappingProxyType(
    {PayerKind.BATCH: Prefix.BATCH, PayerKind.KEY: Prefix.KEY, PayerKind.TEAM: Prefix.TEAM}
)
_TABLES: Mapping[PayerKind, Table] = MappingProxyType({PayerKind.KEY: key, PayerKind.TEAM: team})


def public_payer(payer: Payer) -> str:
    """Spell a payer for the outside."""
    return f"{payer.kind}:{public_name(payer)}"


def public_name(payer: Payer) -> str:
    """Spell the id of a payer, or its tag, for the outside."""
    prefix = _PREFIXES.get(payer.kind)
    return payer.name if prefix is None else public_id(prefix, bytes.fromhex(payer.name))


def payer_of(text: str) -> Payer | None:
    """Read a payer from outside; None where it cannot be one."""
    kind, _, name = text.partition(":")
    if kind not in set(PayerKind):
        return None
    prefix = _PREFIXES.get(PayerKind(kind))
    if prefix is None:
        return Payer(PayerKind.TAG, name) if is_tag(name) else None
    raw = raw_id(prefix, name)
    return None if raw is None else Payer(PayerKind(kind), raw.hex())


def names_of(connection: Connection, payers: Iterable[Payer]) -> dict[Payer, str]:
    """Name these payers; those that have no name, or are gone, are left out."""
    every = set(payers)
    named = {payer: payer.name for payer in every if payer.kind is PayerKind.TAG}
    for kind, table in _TABLES.items():
        by_id = {bytes.fromhex(payer.name): payer for payer in every if payer.kind is kind}
        if by_id:
            rows = connection.execute(select(table.c.id, table.c.name).where(table.c.id.in_(by_id)))
            named |= {by_id[row.id]: row.name for row in rows}
    return named
