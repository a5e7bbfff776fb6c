"""Teams: keys of one group of people, with budgets above those of the keys, that may share what they make."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, true, update

from router.budget import BudgetState, Payer, PayerKind, Period
from router.cost import usd
from store.audit import note
from store.budget_edits import clear_budget, new_budget, set_budget
from store.budgets import read_states
from store.ids import OPERATORS, Prefix, public_id
from store.page import Page, Window, read_page
from store.tables import AnyRow, key, team

_LIVING: ColumnElement[bool] = team.c.deleted_at_ms.is_(None)


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A team."""

    id: bytes
    name: str
    shares: bool
    """Its keys see and manage what each of them makes."""
    created_at_ms: int
    keys: int
    """Those that are not revoked."""
    budgets: tuple[BudgetState, ...]
    read_at_ms: int
    """When the budgets stood so."""


@dataclass(frozen=True, slots=True)
class TeamEdit:
    """What is to change; None, or a period that is not named: it stays."""

    name: str | None = None
    shares: bool | None = None
    budgets: Mapping[Period, int | None] = field(default_factory=dict)
    """Limits in nano-dollars; None removes a budget."""


@dataclass(frozen=True, slots=True)
class InUse:
    """A team is not deleted: it has so many keys that are not revoked."""

    keys: int


@dataclass(frozen=True, slots=True)
class OwnTeam:
    """A team is not changed: the key that was to do it belongs to it, and would give itself more than it has."""


def create_team(connection: Connection, now_ms: int, team_id: bytes, asked: TeamEdit, *, by: bytes) -> TeamRow:
    """Make a team, which needs a name. `by` is who does it, a key's id."""
    columns = {"name": asked.name, "shares": bool(asked.shares)}
    connection.execute(insert(team).values(id=team_id, created_at_ms=now_ms, **columns))
    for period, limit_nanousd in sorted(asked.budgets.items()):
        if limit_nanousd is not None:
            new_budget(connection, now_ms, _payer(team_id), period, limit_nanousd)
    _note(connection, now_ms, by, "created", team_id, columns | _said(asked.budgets))
    made = get_team(connection, now_ms, team_id)
    assert made is not None
    return made


def get_team(connection: Connection, now_ms: int, team_id: bytes) -> TeamRow | None:
    """Read one team; None when there is none, or it is deleted."""
    row = connection.execute(select(team).where(team.c.id == team_id, _LIVING)).first()
    return None if row is None else _rows(connection, now_ms, [row])[0]


def list_teams(connection: Connection, now_ms: int, window: Window) -> Page[TeamRow] | None:
    """List the teams, newest first; None when the cursor is unknown."""
    page = read_page(connection, team, window, owned=true(), shown=_LIVING, make=lambda row: row)
    return None if page is None else Page(tuple(_rows(connection, now_ms, page.items)), page.has_more)


def edit_team(
    connection: Connection, now_ms: int, team_id: bytes, edit: TeamEdit, *, by: bytes
) -> TeamRow | OwnTeam | None:
    """Change a team; None when there is none."""
    if not _lock(connection, team_id):
        return None
    if by not in OPERATORS and _team_of(connection, by) == team_id:
        return OwnTeam()
    named = {"name": edit.name, "shares": edit.shares}
    changed = {column: value for column, value in named.items() if value is not None}
    if changed:
        connection.execute(update(team).where(team.c.id == team_id).values(**changed))
    _set_budgets(connection, now_ms, team_id, edit.budgets)
    if said := changed | _said(edit.budgets):
        _note(connection, now_ms, by, "edited", team_id, said)
    return get_team(connection, now_ms, team_id)


def delete_team(connection: Connection, now_ms: int, team_id: bytes, *, by: bytes) -> TeamRow | InUse | None:
    """Delete a team whose keys are all revoked, with its budgets; None when there is none.

    What its keys have spent is still found under it.
    """
    found = get_team(connection, now_ms, team_id) if _lock(connection, team_id) else None
    if found is None:
        return None
    if found.keys:
        return InUse(found.keys)
    connection.execute(update(team).where(team.c.id == team_id).values(deleted_at_ms=now_ms))
    _set_budgets(connection, now_ms, team_id, dict.fromkeys(Period))
    _note(connection, now_ms, by, "deleted", team_id, {"name": found.name})
    return found


def _lock(connection: Connection, team_id: bytes) -> bool:
    """Hold back whoever makes a key of this team, or changes it, until the transaction ends; False: there is none."""
    here = select(team.c.id).where(team.c.id == team_id, _LIVING).with_for_update()
    return connection.execute(here).first() is not None


def _team_of(connection: Connection, key_id: bytes) -> bytes | None:
    return connection.execute(select(key.c.team_id).where(key.c.id == key_id)).scalar()


def _set_budgets(connection: Connection, now_ms: int, team_id: bytes, budgets: Mapping[Period, int | None]) -> None:
    for period, limit_nanousd in sorted(budgets.items()):
        if limit_nanousd is None:
            clear_budget(connection, now_ms, _payer(team_id), period)
        else:
            set_budget(connection, now_ms, _payer(team_id), period, limit_nanousd)


def _rows(connection: Connection, now_ms: int, rows: Sequence[AnyRow]) -> list[TeamRow]:
    ids = [row.id for row in rows]
    keys, budgets = _count_keys(connection, ids), _budgets(connection, ids)
    return [
        TeamRow(
            id=row.id,
            name=row.name,
            shares=bool(row.shares),
            created_at_ms=row.created_at_ms,
            keys=keys.get(row.id, 0),
            budgets=tuple(budgets[_payer(row.id)]),
            read_at_ms=now_ms,
        )
        for row in rows
    ]


def _count_keys(connection: Connection, team_ids: Sequence[bytes]) -> dict[bytes, int]:
    good = (key.c.revoked_at_ms.is_(None), key.c.deleted_at_ms.is_(None))
    query = select(key.c.team_id, func.count()).where(key.c.team_id.in_(team_ids), *good).group_by(key.c.team_id)
    return {row[0]: row[1] for row in connection.execute(query)}


def _budgets(connection: Connection, team_ids: Sequence[bytes]) -> dict[Payer, list[BudgetState]]:
    found: dict[Payer, list[BudgetState]] = defaultdict(list)
    for state in read_states(connection, [_payer(team_id) for team_id in team_ids]):
        found[state.payer].append(state)
    return found


def _payer(team_id: bytes) -> Payer:
    return Payer(PayerKind.TEAM, team_id.hex())


def _said(budgets: Mapping[Period, int | None]) -> dict[str, Any]:
    """Budgets as the audit log has them; nothing where none is named."""
    limits = {period.value: None if limit is None else usd(limit) for period, limit in budgets.items()}
    return {"budgets": limits} if limits else {}


def _note(connection: Connection, now_ms: int, by: bytes, what: str, team_id: bytes, detail: Mapping[str, Any]) -> None:
    name = public_id(Prefix.TEAM, team_id)
    note(connection, now_ms, actor_id=by, action=f"team.{what}", object_id=name, detail=detail)
