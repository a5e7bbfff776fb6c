"""The audit log in the store, on both databases."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection

from api.authenticator import Authenticator
from api.errors import ApiError
from api.guess_log import GuessLog
from router.limit_names import LimitName
from router.scope import provider_scope
from router.standing import Closed
from store.audit import GUESSING, AuditFilter, AuditRow, list_audit, note, note_guessing
from store.ids import AT_THE_DATABASE, MASTER_KEY_ID, NOBODY, new_id
from store.key_secrets import make_secret
from store.overrides import set_limits, set_state
from store.page import Window
from tests.faults.schedules_rows import add_key
from tests.services.job_protocol import Store, open_store

OPENAI = provider_scope("openai")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


async def log(store: Store, window: Window | None = None, **which: Any) -> list[AuditRow]:
    page = await store(list_audit, window or Window(), AuditFilter(**which))
    assert page is not None
    return list(page.items)


async def act(store: Store, action: str, object_id: str = "key_1", by: bytes = AT_THE_DATABASE) -> None:
    store.now_ms += 1_000
    await store(note, actor_id=by, action=action, object_id=object_id, detail={"n": action})


async def test_an_act_is_found_with_who_did_it_and_to_what(store: Store) -> None:
    by = await store(add_key)
    await act(store, "key.created", "key_1", by)
    await act(store, "key.revoked", "key_1")
    revoked, created = await log(store)
    assert (created.actor_id, created.actor_name, created.at_ms) == (by, "key", store.now_ms - 1_000)
    assert (created.action, created.object_id, created.detail) == ("key.created", "key_1", {"n": "key.created"})
    assert (revoked.actor_id, revoked.actor_name) == (AT_THE_DATABASE, None)


async def test_an_act_that_does_not_happen_is_not_written(store: Store) -> None:
    def failing(connection: Connection, now_ms: int) -> None:
        note(connection, now_ms, actor_id=MASTER_KEY_ID, action="key.created", object_id="key_1")
        raise RuntimeError("what was to be done fails")

    with pytest.raises(RuntimeError):
        await store(failing)
    assert await log(store) == []


async def test_the_log_is_filtered_and_paged(store: Store) -> None:
    start_ms = store.now_ms = time.time_ns() // 1_000_000  # ids are of the real clock, and times may be a day off it
    by = await store(add_key)
    for n in range(6):
        await act(store, "key.created" if n % 2 else "key.edited", f"key_{n % 3}", by if n < 2 else AT_THE_DATABASE)
    newest = await log(store)
    assert [row.at_ms - start_ms for row in newest] == [6_000, 5_000, 4_000, 3_000, 2_000, 1_000]
    assert await log(store, object_id="key_0") == [newest[2], newest[5]]
    assert await log(store, action="key.created") == newest[::2]
    assert await log(store, actor_id=by) == newest[4:]
    assert await log(store, since_ms=start_ms + 2_000, until_ms=start_ms + 5_000) == newest[2:5]
    assert await log(store, object_id="key_0", action="key.created") == [newest[2]]
    assert await log(store, Window(newest[1].id, 2)) == newest[2:4]
    assert await store(list_audit, Window(new_id()), AuditFilter()) is None


async def test_a_live_edit_is_written_once_with_what_was_before(store: Store) -> None:
    rpm = {LimitName.RPM: 100}
    for _ in range(2):  # asking twice changes nothing the second time
        await store(set_state, OPENAI, Closed.PAUSED, by=MASTER_KEY_ID)
    await store(set_limits, OPENAI, rpm, by=MASTER_KEY_ID, keep_others=True)
    await store(set_state, OPENAI, None, by=MASTER_KEY_ID)
    resumed, limited, paused = await log(store, object_id="provider/openai")
    assert [row.action for row in (paused, limited, resumed)] == ["queue.paused", "limits.edited", "queue.resumed"]
    before, after = {"state": "paused", "limits": {}}, {"state": "paused", "limits": {"rpm": 100}}
    assert limited.detail == {"before": before, "after": after}
    assert {row.actor_id for row in (paused, limited, resumed)} == {MASTER_KEY_ID}


async def test_a_guessing_address_is_written_once_a_minute_by_all_processes_together(store: Store) -> None:
    store.now_ms -= store.now_ms % 60_000
    async with store.second() as second:
        await asyncio.gather(*(each(note_guessing, "192.0.2.7") for each in (store, second) for _ in range(3)))
    await store(note_guessing, "192.0.2.8")
    store.now_ms += 59_999
    await store(note_guessing, "192.0.2.7")
    assert sorted(row.object_id for row in await log(store, action=GUESSING)) == ["192.0.2.7", "192.0.2.8"]
    store.now_ms += 1
    await store(note_guessing, "192.0.2.7")
    rows = await log(store, object_id="192.0.2.7")
    assert [(row.at_ms, row.actor_id) for row in rows] == [(store.now_ms, NOBODY), (store.now_ms - 60_000, NOBODY)]


async def test_an_address_that_is_refused_for_guessing_is_in_the_log_once(store: Store) -> None:
    authenticator = Authenticator(store.database, peppers=[b"pepper"], master_key="", clock=lambda: 1_000.0)
    answers = []
    for _ in range(14):
        with pytest.raises(ApiError) as refusal:
            await authenticator.identify(make_secret(), "192.0.2.7")
        answers.append(refusal.value.status)
    assert answers == [401] * 10 + [429] * 4
    (row,) = await log(store)
    assert (row.action, row.object_id, row.actor_id, row.detail) == (GUESSING, "192.0.2.7", NOBODY, None)


async def test_no_process_writes_down_more_than_ten_guessing_addresses_a_minute(store: Store) -> None:
    at_s = 0.0
    guesses = GuessLog(store.database, clock=lambda: at_s)
    for n in range(15):
        await guesses.refused(f"192.0.2.{n}")
    assert len(await log(store, Window(limit=100))) == 10
    at_s = 60.0
    await guesses.refused("192.0.2.14")
    assert len(await log(store, Window(limit=100), object_id="192.0.2.14")) == 1
