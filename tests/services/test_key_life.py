"""Virtual keys in the store: made, found by their secrets, edited, rotated, ended; on both databases."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, select, update

from router.budget import Period
from router.key_rules import EVERY_SCOPE, KeyGrant, KeyScope, KeySettings
from router.limit_names import LimitName
from store.database import Database, open_database
from store.ids import MASTER_KEY_ID, Prefix, new_id, public_id
from store.key_life import block_key, delete_key, revoke_key, rotate_key, unblock_key
from store.key_lookup import find_key, renew_digest
from store.key_rows import KeyFilter, KeyRow, KeyStatus, get_key, list_keys
from store.key_secrets import digest, is_well_formed, make_secret
from store.keys import Exceeds, NotDone, create_key, edit_key
from store.page import Window
from store.pepper import settle_pepper
from store.schema import migrate
from store.tables import audit, key, key_secret, team

HOUR_MS = 3_600_000
ADMIN = frozenset({KeyScope.SUBMIT, KeyScope.ADMIN_KEYS})


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(migrate, database_url)
    opened = open_database(database_url)
    yield opened
    await opened.close()


def asking(**settings: Any) -> Callable[[KeyGrant], KeyGrant]:
    """Ask for a key with these settings and nothing else."""
    return lambda _: KeyGrant(KeySettings(**{"name": "n", **settings}))


async def make(database: Database, by: bytes = MASTER_KEY_ID, **settings: Any) -> tuple[KeyRow, bytes]:
    """Make a key; return it and its digest."""
    secret = make_secret()
    stored = digest(b"p", secret)
    made = await database.write(
        create_key, asking(**settings), key_id=new_id(), digest=stored, last4=secret[-4:], by=by
    )
    assert isinstance(made, KeyRow)
    return made, stored


async def is_good(database: Database, stored: bytes) -> bool:
    return await database.read(find_key, [stored]) is not None


async def audited(database: Database) -> list[tuple[str, str]]:
    """All acts, as (action, object)."""

    def query(connection: Connection, _now_ms: int) -> list[tuple[str, str]]:
        rows = connection.execute(select(audit.c.action, audit.c.object).order_by(audit.c.id))
        return [(row.action, row.object) for row in rows]

    return await database.read(query)


async def set_column(database: Database, table: Any, **values: Any) -> None:
    def query(connection: Connection, _now_ms: int) -> None:
        connection.execute(update(table).values(**values))

    await database.write(query)


def test_a_secret_is_random_and_carries_its_checksum() -> None:
    secrets = {make_secret() for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert is_well_formed(secret)
        assert not any(is_well_formed(changed) for changed in typing_errors(secret))


def typing_errors(secret: str) -> Iterator[str]:
    yield secret[:-1]
    yield secret + "0"
    yield secret.swapcase()
    for position in (0, 3, 20, 45, 50):
        yield secret[:position] + ("B" if secret[position] == "A" else "A") + secret[position + 1 :]
        yield secret[:position] + "ß" + secret[position + 1 :]


def test_digests_depend_on_all_of_the_secret_and_on_the_pepper() -> None:
    secret = make_secret()
    twin = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    assert len({digest(b"a", secret), digest(b"b", secret), digest(b"a", twin)}) == 3
    assert len(digest(b"a", secret)) == 32


async def test_a_key_is_what_was_asked_for(database: Database) -> None:
    settings = KeySettings(
        "evals",
        owner="Ada",
        scopes=EVERY_SCOPE,
        models=("small", "openai/*"),
        endpoints=("/v1/embeddings",),
        expires_at_ms=1 << 45,
        limits={LimitName.RPM: 60},
        weight=3,
        allow_unpriced=True,
        store_bodies=True,
        keep_content_ms=HOUR_MS,
    )
    grant = KeyGrant(settings, None, ("a", "b"), {Period.DAILY: 1_000, Period.TOTAL: 5_000})
    made = await database.write(create_key, lambda _: grant, key_id=new_id(), digest=b"d" * 32, last4="last")
    assert isinstance(made, KeyRow)
    assert made.grant == grant
    assert [(secret.last4, secret.expires_at_ms) for secret in made.secrets] == [("last", None)]
    assert await database.read(get_key, made.id) == made
    found = await database.read(find_key, [b"d" * 32])
    assert found is not None
    principal = found[0]
    assert (principal.key_id, principal.name, principal.is_master) == (made.id, "evals", False)
    assert (principal.scopes, principal.models) == (settings.scopes, settings.models)
    assert (principal.endpoints, principal.tags) == (settings.endpoints, ("a", "b"))
    assert (principal.allow_unpriced, principal.store_bodies, principal.keep_content_ms) == (True, True, HOUR_MS)


async def test_a_secret_is_found_until_its_key_is_blocked_revoked_or_expired(database: Database) -> None:
    made, stored = await make(database)
    assert await is_good(database, stored)
    assert not await is_good(database, digest(b"other", "x"))
    blocked = await database.write(block_key, made.id)
    assert isinstance(blocked, KeyRow)
    assert blocked.blocked_at_ms is not None
    assert not await is_good(database, stored)
    assert await database.write(block_key, made.id) == blocked
    assert await database.write(unblock_key, made.id) == made == await database.write(unblock_key, made.id)
    assert await is_good(database, stored)
    revoked = await database.write(revoke_key, made.id)
    assert isinstance(revoked, KeyRow)
    assert await database.write(revoke_key, made.id) == revoked
    assert await database.write(unblock_key, made.id) == revoked
    assert not await is_good(database, stored)
    _, expired = await make(database, expires_at_ms=1)
    assert not await is_good(database, expired)
    name = public_id(Prefix.KEY, made.id)
    acts = [act for act, about in await audited(database) if about == name]
    assert acts == ["key.created", "key.blocked", "key.unblocked", "key.revoked"]


async def test_a_rotation_gives_another_secret_and_the_old_one_ends_after_the_overlap(database: Database) -> None:
    made, first = await make(database)
    rotated = await database.write(rotate_key, made.id, digest=b"2" * 32, last4="two.", overlap_ms=HOUR_MS)
    assert isinstance(rotated, KeyRow)
    assert (rotated.id, rotated.grant) == (made.id, made.grant)
    assert [secret.last4 for secret in rotated.secrets] == ["two.", made.secrets[0].last4]
    ends = [secret.expires_at_ms for secret in rotated.secrets]
    assert ends[0] is None
    assert ends[1] is not None
    assert await is_good(database, first)
    assert await is_good(database, b"2" * 32)
    again = await database.write(rotate_key, made.id, digest=b"3" * 32, last4="tri.", overlap_ms=0)
    assert isinstance(again, KeyRow)
    assert [secret.last4 for secret in again.secrets] == ["tri."]
    assert [await is_good(database, each) for each in (first, b"2" * 32, b"3" * 32)] == [False, False, True]


async def test_an_overlap_never_lengthens_an_end_that_is_set(database: Database) -> None:
    made, _ = await make(database)
    await database.write(rotate_key, made.id, digest=b"2" * 32, last4="two.", overlap_ms=HOUR_MS)
    longer = await database.write(rotate_key, made.id, digest=b"3" * 32, last4="tri.", overlap_ms=9 * HOUR_MS)
    assert isinstance(longer, KeyRow)
    _, second, first = longer.secrets
    assert second.expires_at_ms is not None
    assert first.expires_at_ms is not None
    assert second.expires_at_ms - first.expires_at_ms >= 7 * HOUR_MS


async def test_secrets_that_are_over_are_forgotten_by_the_next_rotation(database: Database) -> None:
    made, _ = await make(database)
    for n in range(4):
        await database.write(rotate_key, made.id, digest=bytes([n]) * 32, last4="last", overlap_ms=0)

    def count(connection: Connection, _now_ms: int) -> int:
        return len(connection.execute(select(key_secret)).all())

    assert await database.read(count) == 2  # the last one, and the one that it ended


async def test_a_revoked_key_is_neither_edited_nor_rotated(database: Database) -> None:
    made, _ = await make(database)
    await database.write(revoke_key, made.id)
    rotated = await database.write(rotate_key, made.id, digest=b"2" * 32, last4="two.", overlap_ms=0)
    assert rotated is await database.write(edit_key, made.id, lambda _: KeySettings("x")) is NotDone.REVOKED


async def test_a_deleted_key_is_dead_and_out_of_the_lists_but_its_row_stays(database: Database) -> None:
    made, stored = await make(database)
    other, _ = await make(database)
    assert await database.write(delete_key, made.id)
    assert not await database.write(delete_key, made.id)
    assert not await is_good(database, stored)
    assert await database.read(get_key, made.id) is None
    assert await database.write(block_key, made.id) is NotDone.NO_KEY
    page = await database.read(list_keys, Window())
    assert page is not None
    assert page.items == (other,)
    assert await database.read(list_keys, Window(after=made.id)) is not None

    def row(connection: Connection, _now_ms: int) -> Any:
        return connection.execute(select(key).where(key.c.id == made.id)).one()

    kept = await database.read(row)
    assert kept.revoked_at_ms == kept.deleted_at_ms


async def test_an_edit_changes_what_it_names_and_is_written_down(database: Database) -> None:
    made, stored = await make(database, name="before", owner="Ada")

    def renamed(settings: KeySettings) -> KeySettings:
        assert settings.owner == "Ada"
        return KeySettings("after", owner=settings.owner, models=("small",))

    edited = await database.write(edit_key, made.id, renamed)
    assert isinstance(edited, KeyRow)
    assert edited == await database.read(get_key, made.id)
    assert (edited.grant.settings.name, edited.grant.settings.owner) == ("after", "Ada")
    found = await database.read(find_key, [stored])
    assert found is not None
    assert found[0].models == ("small",)
    assert await database.write(edit_key, made.id, lambda settings: settings) == edited  # nothing to write down

    def detail(connection: Connection, _now_ms: int) -> list[str]:
        acts = select(audit.c.detail_json).where(audit.c.action == "key.edited")
        return list(connection.execute(acts).scalars())

    (written,) = await database.read(detail)
    assert orjson.loads(written) == {"name": "after", "models": ["small"]}
    assert await database.write(edit_key, new_id(), renamed) is NotDone.NO_KEY


async def test_keys_are_listed_by_owner_team_and_status(database: Database) -> None:
    team_id = new_id()

    def add_team(connection: Connection, now_ms: int) -> None:
        connection.execute(team.insert().values(id=team_id, name="t", created_at_ms=now_ms))

    await database.write(add_team)
    in_team = KeyGrant(KeySettings("of the team", owner="Ada"), team_id)
    member = await database.write(create_key, lambda _: in_team, key_id=new_id(), digest=b"m" * 32, last4="last")
    assert isinstance(member, KeyRow)
    blocked, _ = await make(database, owner="Ada")
    await database.write(block_key, blocked.id)
    revoked, _ = await make(database)
    await database.write(block_key, revoked.id)
    await database.write(revoke_key, revoked.id)
    expired, _ = await make(database, expires_at_ms=1)
    expected = {
        KeyFilter(): [expired.id, revoked.id, blocked.id, member.id],
        KeyFilter(owner="Ada"): [blocked.id, member.id],
        KeyFilter(team_id=team_id): [member.id],
        KeyFilter(team_id=new_id()): [],
        KeyFilter(status=KeyStatus.ACTIVE): [member.id],
        KeyFilter(status=KeyStatus.BLOCKED): [blocked.id],
        KeyFilter(status=KeyStatus.EXPIRED): [expired.id],
        KeyFilter(status=KeyStatus.REVOKED): [revoked.id],
        KeyFilter(owner="Ada", status=KeyStatus.BLOCKED): [blocked.id],
    }
    for which, ids in expected.items():
        page = await database.read(list_keys, Window(), which)
        assert page is not None
        assert [row.id for row in page.items] == ids, which
        assert which.status is None or {row.status(1 << 40) for row in page.items} <= {which.status}


async def test_a_key_of_a_team_that_is_not_there_is_not_made(database: Database) -> None:
    grant = KeyGrant(KeySettings("n"), new_id())
    made = await database.write(create_key, lambda _: grant, key_id=new_id(), digest=b"m" * 32, last4="last")
    assert made is NotDone.NO_TEAM
    assert await audited(database) == []


async def test_the_masters_row_is_neither_listed_nor_changed(database: Database) -> None:
    page = await database.read(list_keys, Window())
    assert page is not None
    assert page.items == ()
    assert await database.read(get_key, MASTER_KEY_ID) is None
    assert await database.write(revoke_key, MASTER_KEY_ID) is NotDone.NO_KEY
    assert not await database.write(delete_key, MASTER_KEY_ID)
    assert await database.read(list_keys, Window(after=MASTER_KEY_ID)) is None


async def test_a_key_administers_only_the_keys_that_it_made(database: Database) -> None:
    admin, _ = await make(database, scopes=ADMIN)
    stranger, _ = await make(database)
    own, _ = await make(database, by=admin.id, scopes=frozenset({KeyScope.SUBMIT}))
    assert own.made_by == admin.id
    page = await database.read(list_keys, Window(), by=admin.id)
    assert page is not None
    assert page.items == (own,)
    assert await database.read(list_keys, Window(after=stranger.id), by=admin.id) is None
    assert await database.read(get_key, stranger.id, by=admin.id) is None
    for other in (stranger.id, admin.id):
        for act in (block_key, unblock_key, revoke_key):
            assert await database.write(act, other, by=admin.id) is NotDone.NO_KEY
        assert not await database.write(delete_key, other, by=admin.id)
        edited = await database.write(edit_key, other, lambda settings: settings, by=admin.id)
        rotated = await database.write(rotate_key, other, digest=b"x" * 32, last4="x", overlap_ms=0, by=admin.id)
        assert edited is rotated is NotDone.NO_KEY
    assert isinstance(await database.write(block_key, own.id, by=admin.id), KeyRow)


async def test_a_key_gives_no_more_than_it_has_whatever_the_act(database: Database) -> None:
    admin, _ = await make(database, scopes=ADMIN, models=("small",))
    wide = {"key_id": new_id(), "digest": b"w" * 32, "last4": "wide"}
    assert await database.write(create_key, asking(), **wide, by=admin.id) == Exceeds("scopes")
    own, _ = await make(database, by=admin.id, scopes=ADMIN, models=("small",))
    edited = await database.write(edit_key, own.id, lambda _: KeySettings("x", scopes=ADMIN), by=admin.id)
    assert edited == Exceeds("models")
    assert await database.read(get_key, own.id) == own
    await database.write(edit_key, admin.id, lambda _: KeySettings("less", scopes=frozenset(), models=("small",)))
    rotated = await database.write(rotate_key, own.id, digest=b"x" * 32, last4="x", overlap_ms=0, by=admin.id)
    assert rotated == Exceeds("scopes")
    assert not await is_good(database, b"x" * 32)


async def test_a_key_with_a_budget_of_its_own_makes_none(database: Database) -> None:
    grant = KeyGrant(KeySettings("n", scopes=ADMIN), budgets={Period.TOTAL: 1_000})
    admin = await database.write(create_key, lambda _: grant, key_id=new_id(), digest=b"a" * 32, last4="last")
    assert isinstance(admin, KeyRow)
    less = {"key_id": new_id(), "digest": b"w" * 32, "last4": "less"}
    made = await database.write(create_key, asking(scopes=frozenset()), **less, by=admin.id)
    assert made == Exceeds("budgets")


async def test_a_digest_is_renewed_in_its_place(database: Database) -> None:
    made, stored = await make(database)
    renewed = digest(b"new pepper", "x")
    await database.write(renew_digest, stored, renewed)
    await database.write(renew_digest, stored, renewed)
    assert not await is_good(database, stored)
    found = await database.read(find_key, [digest(b"third", "x"), renewed])
    assert found is not None
    assert (found[0].key_id, found[1]) == (made.id, renewed)


async def test_a_key_made_before_there_were_scopes_has_those_of_a_new_one(database: Database) -> None:
    _, stored = await make(database, scopes=frozenset())
    await set_column(database, key, scopes_json=None)
    found = await database.read(find_key, [stored])
    assert found is not None
    assert KeyScope.SUBMIT in found[0].scopes
    assert KeyScope.ADMIN_KEYS not in found[0].scopes


async def test_a_pepper_is_followed_only_by_one_that_knows_it(database: Database) -> None:
    assert await database.write(settle_pepper, "old")
    assert await database.write(settle_pepper, "old", "new")  # every process learns the new one first
    assert not await database.write(settle_pepper, "new")
    assert await database.write(settle_pepper, "new", "old")
    assert await database.write(settle_pepper, "new")
    assert not await database.write(settle_pepper, "old")
    assert not await database.write(settle_pepper, "third", "old")
