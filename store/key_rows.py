"""The rows of virtual keys as their administrators read them.

Whoever acts is `by`, a key's id: an operator's reaches all keys, any other's only those that it made.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from router.budget import Payer, PayerKind, Period
from router.key_rules import KeyGrant
from store.ids import MASTER_KEY_ID, OPERATORS
from store.key_columns import names, settings_of
from store.page import Page, Window, read_page
from store.tables import AnyRow, budget, key, key_secret


class KeyStatus(StrEnum):
    """Whether a key is good, and if not, why."""

    ACTIVE = "active"
    BLOCKED = "blocked"  # until it is unblocked
    EXPIRED = "expired"
    REVOKED = "revoked"  # for good


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A secret of a key. The digest never leaves the store."""

    last4: str
    """To recognise it by."""
    created_at_ms: int
    expires_at_ms: int | None
    """The end of a rotation's overlap; None for as long as the key."""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A virtual key."""

    id: bytes
    grant: KeyGrant
    made_by: bytes | None
    """The key that made it; None for the master key."""
    secrets: tuple[SecretRow, ...]
    """Those that are not over, the newest first."""
    created_at_ms: int
    blocked_at_ms: int | None
    revoked_at_ms: int | None
    spent_nanousd: int

    def status(self, now_ms: int) -> KeyStatus:
        """Whether it is good now."""
        expires_at_ms = self.grant.settings.expires_at_ms
        if self.revoked_at_ms is not None:
            return KeyStatus.REVOKED
        if self.blocked_at_ms is not None:
            return KeyStatus.BLOCKED
        return KeyStatus.EXPIRED if expires_at_ms is not None and expires_at_ms <= now_ms else KeyStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Which keys are listed; None where it does not matter."""

    team_id: bytes | None = None
    owner: str | None = None
    status: KeyStatus | None = None


def get_key(connection: Connection, now_ms: int, key_id: bytes, *, by: bytes = MASTER_KEY_ID) -> KeyRow | None:
    """Read one key; None when there is none, or it is deleted."""
    row = connection.execute(select(key).where(key.c.id == key_id, *_in_reach(by))).first()
    return None if row is None else _rows(connection, now_ms, [row])[0]


def lock_key(connection: Connection, now_ms: int, key_id: bytes, *, by: bytes) -> KeyRow | None:
    """Read one key that nobody else changes until the transaction ends."""
    row = connection.execute(select(key).where(key.c.id == key_id, *_in_reach(by)).with_for_update()).first()
    return None if row is None else _rows(connection, now_ms, [row])[0]


def list_keys(
    connection: Connection,
    now_ms: int,
    window: Window,
    which: KeyFilter | None = None,
    *,
    by: bytes = MASTER_KEY_ID,
) -> Page[KeyRow] | None:
    """List keys, revoked and expired ones too; None when the cursor is unknown."""
    *owned, shown = _in_reach(by)
    chosen = and_(shown, *_chosen(which or KeyFilter(), now_ms))
    page = read_page(connection, key, window, owned=and_(*owned), shown=chosen, make=lambda row: row)
    return None if page is None else Page(tuple(_rows(connection, now_ms, page.items)), page.has_more)


def read_grant(connection: Connection, key_id: bytes) -> KeyGrant:
    """Read all that an existing key has."""
    row = connection.execute(select(key).where(key.c.id == key_id)).one()
    return _grant(row, _budgets(connection, [key_id])[key_id])


def models_of(connection: Connection, _now_ms: int, key_id: bytes) -> tuple[str, ...] | None:
    """Read which models a key may ask for; None for all."""
    return names(connection.execute(select(key.c.models_json).where(key.c.id == key_id)).scalar())


def payer_of(key_id: bytes) -> Payer:
    """What a key is called as one that pays."""
    return Payer(PayerKind.KEY, key_id.hex())


def _in_reach(by: bytes) -> tuple[ColumnElement[bool], ...]:
    """Which keys the one that acts may know of; the last condition is that they are not deleted."""
    made = () if by in OPERATORS else (key.c.made_by == by,)
    return (key.c.id != MASTER_KEY_ID, *made, key.c.deleted_at_ms.is_(None))


def _chosen(which: KeyFilter, now_ms: int) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if which.team_id is not None:
        found.append(key.c.team_id == which.team_id)
    if which.owner is not None:
        found.append(key.c.owner == which.owner)
    if which.status is not None:
        found += _with_status(which.status, now_ms)
    return found


def _with_status(status: KeyStatus, now_ms: int) -> tuple[ColumnElement[bool], ...]:
    """What `KeyRow.status` says, in SQL."""
    standing, free = key.c.revoked_at_ms.is_(None), key.c.blocked_at_ms.is_(None)
    match status:
        case KeyStatus.REVOKED:
            return (key.c.revoked_at_ms.is_not(None),)
        case KeyStatus.BLOCKED:
            return (standing, key.c.blocked_at_ms.is_not(None))
        case KeyStatus.EXPIRED:
            return (standing, free, key.c.expires_at_ms <= now_ms)
        case KeyStatus.ACTIVE:
            return (standing, free, or_(key.c.expires_at_ms.is_(None), key.c.expires_at_ms > now_ms))


def _rows(connection: Connection, now_ms: int, found: Sequence[AnyRow]) -> list[KeyRow]:
    """Complete rows of `key` with their secrets and budgets: one query each for all of them."""
    ids = [row.id for row in found]
    secrets, budgets = _secrets(connection, now_ms, ids), _budgets(connection, ids)
    return [
        KeyRow(
            id=row.id,
            grant=_grant(row, budgets[row.id]),
            made_by=row.made_by,
            secrets=tuple(secrets[row.id]),
            created_at_ms=row.created_at_ms,
            blocked_at_ms=row.blocked_at_ms,
            revoked_at_ms=row.revoked_at_ms,
            spent_nanousd=row.spent_nanousd,
        )
        for row in found
    ]


def _grant(row: AnyRow, budgets: dict[Period, int]) -> KeyGrant:
    return KeyGrant(settings_of(row), row.team_id, names(row.tags_json) or (), budgets)


def _secrets(connection: Connection, now_ms: int, ids: Sequence[bytes]) -> dict[bytes, list[SecretRow]]:
    good = or_(key_secret.c.expires_at_ms.is_(None), key_secret.c.expires_at_ms > now_ms)
    query = select(key_secret).where(key_secret.c.key_id.in_(ids), good)
    found: dict[bytes, list[SecretRow]] = defaultdict(list)
    # The newest is the one without an end; two made in the same millisecond are told apart by that.
    order = (key_secret.c.expires_at_ms.is_(None).desc(), key_secret.c.created_at_ms.desc())
    for row in connection.execute(query.order_by(*order)):
        found[row.key_id].append(SecretRow(row.last4, row.created_at_ms, row.expires_at_ms))
    return found


def _budgets(connection: Connection, ids: Sequence[bytes]) -> dict[bytes, dict[Period, int]]:
    owners = {str(payer_of(key_id)): key_id for key_id in ids}
    query = select(budget.c.payer, budget.c.period, budget.c.limit_nanousd).where(budget.c.payer.in_(owners))
    found: dict[bytes, dict[Period, int]] = defaultdict(dict)
    for payer, period, limit_nanousd in connection.execute(query):
        found[owners[payer]][Period(period)] = limit_nanousd
    return found
