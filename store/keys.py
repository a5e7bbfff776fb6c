"""Virtual keys: made and edited. How one ends, and how it gets another secret, is in `store.key_life`.

Whoever acts is `by`, a key's id. Operators may all; a key can give the keys that it makes no more than it has itself.
Every act is written into the audit log in its own transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from router.cost import usd
from router.key_rules import KeyGrant, KeySettings, exceeds, settings_object, starting_grant
from store.audit import note
from store.budget_edits import new_budget
from store.ids import MASTER_KEY_ID, OPERATORS, Prefix, public_id
from store.key_columns import columns_of, list_json
from store.key_rows import KeyRow, get_key, lock_key, payer_of, read_grant
from store.tables import key, key_secret, team


@dataclass(frozen=True, slots=True)
class Exceeds:
    """Nothing was done: the key that acts may not give this to another."""

    what: str
    """A field of the key, such as `models`."""


class NotDone(StrEnum):
    """Nothing was done, and why."""

    NO_KEY = "no_key"
    NO_TEAM = "no_team"
    REVOKED = "revoked"


Refused = Exceeds | NotDone


def create_key(
    connection: Connection,
    now_ms: int,
    ask: Callable[[KeyGrant], KeyGrant],
    *,
    key_id: bytes,
    digest: bytes,
    last4: str,
    by: bytes = MASTER_KEY_ID,
) -> KeyRow | Refused:
    """Make a key. `ask` is given what a key has of which nothing is said, and returns what this one is to have.

    `digest` is that of its secret under the pepper in use.
    """
    grant = ask(starting_grant(_maker(connection, by)))
    if refused := beyond(connection, by, grant):
        return refused
    if grant.team_id is not None and not _has_team(connection, grant.team_id):
        return NotDone.NO_TEAM
    fixed = {"team_id": grant.team_id, "tags_json": list_json(grant.tags or None)}
    made_by = None if by in OPERATORS else by
    made = insert(key).values(id=key_id, created_at_ms=now_ms, made_by=made_by, **fixed, **columns_of(grant.settings))
    connection.execute(made)
    connection.execute(insert(key_secret).values(digest=digest, key_id=key_id, last4=last4, created_at_ms=now_ms))
    for period, limit_nanousd in sorted(grant.budgets.items()):
        new_budget(connection, now_ms, payer_of(key_id), period, limit_nanousd)
    row = get_key(connection, now_ms, key_id)
    assert row is not None
    note_key(connection, now_ms, by, "created", key_id, _granted(grant))
    return row


def edit_key(
    connection: Connection,
    now_ms: int,
    key_id: bytes,
    change: Callable[[KeySettings], KeySettings],
    *,
    by: bytes = MASTER_KEY_ID,
) -> KeyRow | Refused:
    """Change settings of a key that is not revoked."""
    row = lock_key(connection, now_ms, key_id, by=by)
    if row is None or row.revoked_at_ms is not None:
        return NotDone.NO_KEY if row is None else NotDone.REVOKED
    changed = replace(row.grant, settings=change(row.grant.settings))
    if refused := beyond(connection, by, changed):
        return refused
    if changed != row.grant:
        connection.execute(update(key).where(key.c.id == key_id).values(**columns_of(changed.settings)))
        before, after = settings_object(row.grant.settings), settings_object(changed.settings)
        edits = {name: value for name, value in after.items() if value != before[name]}
        note_key(connection, now_ms, by, "edited", key_id, edits)
    return replace(row, grant=changed)


def beyond(connection: Connection, by: bytes, grant: KeyGrant) -> Exceeds | None:
    """Say what of this the key that acts may not give; None when it may give all of it."""
    maker = _maker(connection, by)
    what = None if maker is None else exceeds(maker, grant)
    return None if what is None else Exceeds(what)


def note_key(
    connection: Connection, now_ms: int, by: bytes, what: str, key_id: bytes, detail: dict[str, Any] | None = None
) -> None:
    """Write an act on a key into the audit log."""
    name = public_id(Prefix.KEY, key_id)
    note(connection, now_ms, actor_id=by, action=f"key.{what}", object_id=name, detail=detail)


def _granted(grant: KeyGrant) -> dict[str, Any]:
    team_id = None if grant.team_id is None else public_id(Prefix.TEAM, grant.team_id)
    budgets = {period.value: usd(limit_nanousd) for period, limit_nanousd in grant.budgets.items()}
    return settings_object(grant.settings) | {"team_id": team_id, "tags": grant.tags, "budgets": budgets}


def _maker(connection: Connection, by: bytes) -> KeyGrant | None:
    """What the key that acts has; None for operators, who have everything."""
    return None if by in OPERATORS else read_grant(connection, by)


def _has_team(connection: Connection, team_id: bytes) -> bool:
    """Whether there is a team, which cannot be deleted until the transaction ends."""
    here = select(team.c.id).where(team.c.id == team_id, team.c.deleted_at_ms.is_(None))
    return connection.execute(here.with_for_update()).first() is not None
