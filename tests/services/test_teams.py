"""Teams in the store, on both databases."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Update, update

from router.budget import Payer, PayerKind, Period
from store.audit import AuditFilter, list_audit
from store.budgets import read_states
from store.ids import AT_THE_DATABASE, MASTER_KEY_ID, Prefix, new_id, public_id
from store.page import Window
from store.tables import budget, key
from store.teams import InUse, OwnTeam, TeamEdit, TeamRow, create_team, delete_team, edit_team, get_team, list_teams
from tests.faults.schedules_rows import add_key
from tests.services.job_protocol import Store, open_store

USD = 1_000_000_000


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


async def make(store: Store, name: str = "research", budgets: Mapping[Period, int | None] | None = None) -> TeamRow:
    return await store(create_team, new_id(), TeamEdit(name, budgets=budgets or {}), by=MASTER_KEY_ID)


async def add_member(store: Store, team: TeamRow) -> bytes:
    key_id = await store(add_key)
    await store(change, update(key).where(key.c.id == key_id).values(team_id=team.id))
    return key_id


def change(connection: Connection, _now_ms: int, statement: Update) -> None:
    connection.execute(statement)


async def test_a_team_is_made_changed_and_read(store: Store) -> None:
    made = await make(store, budgets={Period.DAILY: 5 * USD, Period.TOTAL: 100 * USD})
    assert (made.name, made.shares, made.keys, made.created_at_ms) == ("research", False, 0, store.now_ms)
    assert {each.period: each.limit_nanousd for each in made.budgets} == {"daily": 5 * USD, "total": 100 * USD}
    asked = TeamEdit(shares=True, budgets={Period.DAILY: None, Period.TOTAL: 7 * USD, Period.MONTHLY: USD})
    changed = await store(edit_team, made.id, asked, by=MASTER_KEY_ID)
    assert isinstance(changed, TeamRow)
    assert (changed.name, changed.shares) == ("research", True)
    assert {each.period: each.limit_nanousd for each in changed.budgets} == {"monthly": USD, "total": 7 * USD}
    assert await store(get_team, made.id) == changed
    assert await store(edit_team, new_id(), asked, by=MASTER_KEY_ID) is None
    assert await store(get_team, new_id()) is None


async def test_a_limit_that_is_changed_keeps_what_is_spent(store: Store) -> None:
    made = await make(store, budgets={Period.TOTAL: 5 * USD})
    await store(change, update(budget).values(spent_nanousd=3 * USD))
    changed = await store(edit_team, made.id, TeamEdit(budgets={Period.TOTAL: 9 * USD}), by=MASTER_KEY_ID)
    assert isinstance(changed, TeamRow)
    assert [(each.spent_nanousd, each.limit_nanousd) for each in changed.budgets] == [(3 * USD, 9 * USD)]


async def test_a_team_is_deleted_only_once_its_keys_are_revoked(store: Store) -> None:
    made = await make(store, budgets={Period.TOTAL: USD})
    members = [await add_member(store, made) for _ in range(2)]
    assert await store(delete_team, made.id, by=MASTER_KEY_ID) == InUse(2)
    await store(change, update(key).where(key.c.id.in_(members)).values(revoked_at_ms=store.now_ms))
    assert isinstance(await store(delete_team, made.id, by=MASTER_KEY_ID), TeamRow)
    assert await store(get_team, made.id) is None
    assert await store(edit_team, made.id, TeamEdit(shares=True), by=MASTER_KEY_ID) is None
    assert await store(delete_team, made.id, by=MASTER_KEY_ID) is None
    payer = Payer(PayerKind.TEAM, made.id.hex())
    assert await store(lambda connection, _now: read_states(connection, [payer])) == []


async def test_no_key_edits_the_team_that_it_belongs_to(store: Store) -> None:
    made, other = await make(store), await make(store)
    member = await add_member(store, made)
    assert await store(edit_team, made.id, TeamEdit(shares=True), by=member) == OwnTeam()
    assert await store(get_team, made.id) == replace(made, keys=1)
    assert isinstance(await store(edit_team, other.id, TeamEdit(shares=True), by=member), TeamRow)
    assert isinstance(await store(edit_team, made.id, TeamEdit(shares=True), by=AT_THE_DATABASE), TeamRow)


async def test_teams_are_listed_newest_first_and_a_deleted_one_stays_a_cursor(store: Store) -> None:
    teams = [await make(store, name=f"team {n}") for n in range(4)]
    members = await add_member(store, teams[0])
    await store(delete_team, teams[2].id, by=MASTER_KEY_ID)
    page = await store(list_teams, Window(limit=2))
    assert page is not None
    assert ([row.id for row in page.items], page.has_more) == ([teams[3].id, teams[1].id], True)
    page = await store(list_teams, Window(teams[2].id))
    assert page is not None
    assert [(row.id, row.keys) for row in page.items] == [(teams[1].id, 0), (teams[0].id, 1)]
    assert await store(list_teams, Window(members)) is None


async def test_every_act_on_a_team_is_in_the_audit_log(store: Store) -> None:
    made = await make(store, budgets={Period.DAILY: USD // 2})
    await store(edit_team, made.id, TeamEdit(shares=True, budgets={Period.DAILY: None}), by=MASTER_KEY_ID)
    await store(edit_team, made.id, TeamEdit(), by=MASTER_KEY_ID)  # which changes nothing
    await store(delete_team, made.id, by=MASTER_KEY_ID)
    page = await store(list_audit, Window(newest_first=False), AuditFilter(public_id(Prefix.TEAM, made.id)))
    assert page is not None
    assert [(row.action, row.detail) for row in page.items] == [
        ("team.created", {"name": "research", "shares": False, "budgets": {"daily": "0.5"}}),
        ("team.edited", {"shares": True, "budgets": {"daily": None}}),
        ("team.deleted", {"name": "research"}),
    ]
