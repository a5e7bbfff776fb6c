"""Who a secret belongs to, over one database: believed for less than two seconds, and never by a part of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from api.authenticator import BELIEVED_S, Authenticator
from api.errors import ApiError
from router.key_rules import EVERY_SCOPE, KeyGrant, KeyScope, KeySettings
from store import key_secrets
from store.database import Database, open_database
from store.ids import MASTER_KEY_ID, new_id
from store.key_life import block_key, delete_key, revoke_key, rotate_key
from store.key_secrets import digest, is_well_formed, make_secret
from store.keys import create_key, edit_key
from store.schema import migrate

PEPPER, OLDER = b"pepper-in-use-0123", b"older-pepper-012345"
MASTER = "a-master-key-of-more-than-32-characters"
HERE = "192.0.2.1"


@dataclass
class Clock:
    """A clock that the test sets."""

    at_s: float = 1_000.0

    def __call__(self) -> float:
        return self.at_s


@dataclass
class World:
    """One database with two processes' authenticators."""

    database: Database
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.both = [self.authenticator(PEPPER) for _ in range(2)]

    def authenticator(self, *peppers: bytes) -> Authenticator:
        return Authenticator(self.database, peppers=peppers, master_key=MASTER, clock=self.clock)

    async def make(self, secret: str = "", pepper: bytes = PEPPER) -> tuple[bytes, str]:
        """Make a key; return its id and its secret."""
        secret, key_id = secret or make_secret(), new_id()
        stored = digest(pepper, secret)
        grant = KeyGrant(KeySettings("n"))
        await self.database.write(create_key, lambda _: grant, key_id=key_id, digest=stored, last4=secret[-4:])
        return key_id, secret

    async def good_in(self, secret: str) -> list[bool]:
        """Whether each of the two lets a secret through."""
        return [await lets_in(each, secret) for each in self.both]


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[World]:
    await asyncio.to_thread(migrate, sqlite_url)
    database = open_database(sqlite_url)
    yield World(database)
    await database.close()


async def lets_in(authenticator: Authenticator, secret: str) -> bool:
    try:
        await authenticator.identify(secret, HERE)
    except ApiError as error:
        if error.status != 401:
            raise
        return False
    return True


async def test_what_is_found_is_believed_for_less_than_two_seconds_in_every_process(world: World) -> None:
    assert BELIEVED_S < 2
    for end in (revoke_key, block_key, delete_key):
        key_id, secret = await world.make()
        assert await world.good_in(secret) == [True, True]
        await world.database.write(end, key_id)
        assert await world.good_in(secret) == [True, True]  # this is what is believed
        world.clock.at_s += BELIEVED_S
        assert await world.good_in(secret) == [False, False]


async def test_a_secret_that_was_rotated_out_is_dead_in_every_process(world: World) -> None:
    key_id, first = await world.make()
    assert await world.good_in(first) == [True, True]
    second = make_secret()
    await world.database.write(rotate_key, key_id, digest=digest(PEPPER, second), last4=second[-4:], overlap_ms=0)
    world.clock.at_s += BELIEVED_S
    assert await world.good_in(first) == [False, False]
    assert (await world.both[0].identify(second, HERE)).key_id == key_id


async def test_an_edit_is_known_within_the_same_time(world: World) -> None:
    key_id, secret = await world.make()
    assert KeyScope.SUBMIT in (await world.both[0].identify(secret, HERE)).scopes
    await world.database.write(edit_key, key_id, lambda _: KeySettings("n", scopes=frozenset(), models=("small",)))
    world.clock.at_s += BELIEVED_S
    principal = await world.both[0].identify(secret, HERE)
    assert (principal.scopes, principal.models) == (frozenset(), ("small",))


async def test_secrets_that_share_forty_characters_are_two_keys(world: World) -> None:
    body = make_secret()[3:46]
    twin = body[:-1] + ("0" if body[-1] != "0" else "1")
    one, other = (f"lw-{each}{key_secrets._check(each)}" for each in (body, twin))
    assert one[:40] == other[:40]
    assert is_well_formed(one)
    assert is_well_formed(other)
    first, _ = await world.make(one)
    for authenticator in world.both:
        assert (await authenticator.identify(one, HERE)).key_id == first
        assert not await lets_in(authenticator, other)
    second, _ = await world.make(other)
    for authenticator in world.both:
        assert (await authenticator.identify(other, HERE)).key_id == second
        assert (await authenticator.identify(one, HERE)).key_id == first


async def test_the_master_key_may_all_and_is_in_no_database(world: World) -> None:
    principal = await world.both[0].identify(MASTER, HERE)
    assert (principal.key_id, principal.is_master, principal.scopes) == (MASTER_KEY_ID, True, EVERY_SCOPE)
    off = Authenticator(world.database, peppers=[PEPPER], master_key="")
    assert not await lets_in(off, MASTER)
    assert not await lets_in(off, "")


async def test_a_secret_made_under_an_older_pepper_is_taken_over_by_the_new_one(world: World) -> None:
    key_id, secret = await world.make(pepper=OLDER)
    assert await world.good_in(secret) == [False, False]
    turning = world.authenticator(PEPPER, OLDER)
    assert (await turning.identify(secret, HERE)).key_id == key_id
    assert await world.good_in(secret) == [True, True]
    assert not await lets_in(world.authenticator(OLDER), secret)
    assert await lets_in(world.authenticator(OLDER, PEPPER), secret)


async def test_all_who_present_a_new_secret_at_once_share_one_look_up(world: World) -> None:
    """Otherwise a client that opens many connections would be taken for one that guesses."""
    key_id, secret = await world.make()
    found = await asyncio.gather(*(world.both[0].identify(secret, HERE) for _ in range(100)))
    assert {principal.key_id for principal in found} == {key_id}
