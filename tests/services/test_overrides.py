"""Live edits in the store, on both databases."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, insert, select, update

from router.key_rules import KeyGrant, KeySettings
from router.limit_names import LimitName
from router.live import LiveRows, live_of
from router.override import Override
from router.scope import deployment_scope, provider_scope
from router.standing import Closed
from store.ids import MASTER_KEY_ID, new_id
from store.key_life import revoke_key
from store.key_rows import KeyRow, list_keys
from store.keys import create_key
from store.overrides import read_live, read_settings, set_limits, set_state
from store.page import Window
from store.tables import override
from tests.services.job_protocol import Store, open_store

OPENAI, MINI = provider_scope("openai"), deployment_scope("openai", "x" * 200)
RPM, TPM = {LimitName.RPM: 100}, {LimitName.TPM: None}


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


async def names(store: Store) -> list[str]:
    return [name for name, _ in (await store(read_live)).overrides]


async def test_a_state_and_limits_are_edited_apart_and_cleared_apart(store: Store) -> None:
    assert await store(set_state, OPENAI, Closed.PAUSED, by=MASTER_KEY_ID) == Override(Closed.PAUSED)
    edited = await store(set_limits, OPENAI, RPM, by=MASTER_KEY_ID, keep_others=False)
    assert edited == Override(Closed.PAUSED, RPM)
    live = live_of({}, await store(read_live))
    assert (live.state_of(OPENAI), live.overrides) == (Closed.PAUSED, {OPENAI: edited})
    assert await store(set_state, OPENAI, None, by=MASTER_KEY_ID) == Override(None, RPM)
    assert await store(set_limits, OPENAI, {}, by=MASTER_KEY_ID, keep_others=False) == Override()
    assert await store(read_live) == LiveRows()


async def test_limits_are_added_to_others_or_take_their_place(store: Store) -> None:
    await store(set_limits, MINI, RPM, by=MASTER_KEY_ID, keep_others=True)
    both = await store(set_limits, MINI, TPM, by=MASTER_KEY_ID, keep_others=True)
    assert both.limits == {**RPM, **TPM}
    assert (await store(set_limits, MINI, TPM, by=MASTER_KEY_ID, keep_others=False)).limits == TPM


async def test_asking_twice_changes_nothing(store: Store) -> None:
    for _ in range(2):
        await store(set_state, OPENAI, Closed.DRAINING, by=MASTER_KEY_ID)
    before = await store(read_live)
    assert before == await store(read_live)
    for _ in range(2):
        await store(set_state, OPENAI, None, by=MASTER_KEY_ID)
    assert await names(store) == []


async def test_who_edited_last_and_when_is_kept(store: Store) -> None:
    by = new_id()
    await store(set_state, OPENAI, Closed.PAUSED, by=MASTER_KEY_ID)
    store.now_ms += 5
    await store(set_limits, OPENAI, RPM, by=by, keep_others=True)
    (row,) = await store.rows("SELECT key_id, set_at_ms FROM override")
    assert (bytes(row.key_id), row.set_at_ms) == (by, store.now_ms)


async def test_edits_at_the_same_time_are_all_kept(store: Store) -> None:
    async with store.second() as second:
        await asyncio.gather(
            store(set_limits, OPENAI, RPM, by=MASTER_KEY_ID, keep_others=True),
            second(set_limits, OPENAI, TPM, by=MASTER_KEY_ID, keep_others=True),
            store(set_state, OPENAI, Closed.PAUSED, by=MASTER_KEY_ID),
            second(set_state, MINI, Closed.DRAINING, by=MASTER_KEY_ID),
        )
    live = live_of({}, await store(read_live))
    assert live.overrides[OPENAI] == Override(Closed.PAUSED, {**RPM, **TPM})
    assert live.state_of(MINI) is Closed.DRAINING


async def test_a_row_of_nonsense_is_replaced_by_the_next_edit(store: Store) -> None:
    def spoil(connection: Connection, _now_ms: int) -> None:
        connection.execute(insert(override).values(name=str(OPENAI), value_json="{", key_id=new_id(), set_at_ms=0))

    await store(spoil)
    assert live_of({}, await store(read_live)).unreadable == (str(OPENAI),)
    assert await store(set_limits, OPENAI, RPM, by=MASTER_KEY_ID, keep_others=True) == Override(None, RPM)


async def test_a_keys_limits_and_weight_are_kept_and_read_until_it_is_revoked(store: Store) -> None:
    limited, plain = new_id(), new_id()
    limits = {LimitName.RPM: 60, LimitName.MAX_PARALLEL_REQUESTS: 4}
    asked = KeySettings("a", weight=3, limits=limits)
    made = await store(create_key, lambda _: KeyGrant(asked), key_id=limited, digest=b"a" * 32, last4="aaaa")
    await store(create_key, lambda _: KeyGrant(KeySettings("b")), key_id=plain, digest=b"b" * 32, last4="bbbb")
    assert isinstance(made, KeyRow)
    assert made.grant.settings == asked
    page = await store(list_keys, Window())
    assert page is not None
    assert [(row.grant.settings.weight, row.grant.settings.limits) for row in page.items] == [(1, {}), (3, limits)]
    assert [key_id for key_id, _ in (await store(read_live)).keys] == [limited]
    assert len(live_of({}, await store(read_settings, limited)).key_limits(limited)) == 2
    assert (await store(read_settings, plain)).keys == ()
    await store(revoke_key, limited)
    assert (await store(read_live)).keys == ()


async def test_an_edit_without_a_value_says_nothing(store: Store) -> None:
    await store(set_state, OPENAI, Closed.PAUSED, by=MASTER_KEY_ID)

    def empty(connection: Connection, _now_ms: int) -> None:
        connection.execute(update(override).values(value_json=None))

    await store(empty)
    live = live_of({}, await store(read_live))
    assert (live.overrides, live.unreadable) == ({OPENAI: Override()}, ())
    assert await store(lambda connection, _now: connection.execute(select(override.c.name)).scalars().all()) != []
