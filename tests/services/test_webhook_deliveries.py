"""Deliveries from the event to the receiver: on both databases, by one process or several."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update
from standardwebhooks import Webhook

from providers.failure import ErrorClass
from router.config import WebhooksConfig
from router.delivery import Delivered, GaveUp, Sent
from router.delivery_room import PER_RECEIVER, DeliveryRoom
from router.lifecycle import JobState
from router.outcome import AttemptOutcome
from router.webhook_url import TargetRules, webhook_url
from store.closing import expire_jobs
from store.database import Database, open_database
from store.deliveries import Claim, EndedTry, any_due, claim_due, settle_tries
from store.delivery_log import DeliveryFilter, DeliveryRow, NotSent, get_delivery, list_deliveries, send_again
from store.events import Ended, record
from store.finish import finish
from store.ids import MASTER_KEY_ID, Prefix, new_id, public_id
from store.page import Window
from store.schema import migrate
from store.settlement import Completed, Failed, Settlement
from store.tables import attempt, delivery, event, job, webhook_endpoint
from store.webhook_secret import key_secret, seal, unseal
from store.webhooks import NewWebhook, insert_endpoint
from tests.patience import PATIENCE_S
from tests.webhook_receiver import receiving
from workers.webhooks.deliveries import Deliveries

PEPPER = b"pepper-of-the-webhooks"
OWN = key_secret(PEPPER, MASTER_KEY_ID)
GIVEN = key_secret(b"anything", new_id())
RULES = TargetRules(allow_private=True)
LEASE_MS = 20_000


def config(schedule: list[object], timeout: object = "60s") -> WebhooksConfig:
    return WebhooksConfig.model_validate(
        {"retry_schedule_s": schedule, "timeout": timeout, "allow_private_targets": True}
    )


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(migrate, database_url)
    opened = open_database(database_url)
    yield opened
    await opened.close()


@asynccontextmanager
async def delivering(
    database: Database, settings: WebhooksConfig, look_every_ms: int = 200, peppers: Sequence[bytes] = (PEPPER,)
) -> AsyncIterator[Deliveries]:
    """Run one, looked after every so many milliseconds as by sweeps."""
    deliveries = Deliveries(database, peppers, settings, version="1.2.3")

    async def sweep() -> None:
        while True:
            await asyncio.sleep(look_every_ms / 1000)
            deliveries.look()

    running = [asyncio.create_task(deliveries.run()), asyncio.create_task(sweep())]
    try:
        yield deliveries
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await deliveries.close(100)


@dataclass(frozen=True)
class Wish:
    """A job that is over, whose end is to be told."""

    url: str
    secret: str | None = None
    key_id: bytes = MASTER_KEY_ID
    id: bytes = field(default_factory=new_id)


async def end(database: Database, *wishes: Wish) -> list[bytes]:
    """Record the ends of jobs with an endpoint each; returns the jobs' ids."""

    def write(connection: Connection, now_ms: int) -> None:
        for wish in wishes:
            sealed = None if wish.secret is None else seal(PEPPER, wish.secret)
            insert_endpoint(connection, now_ms, wish.key_id, wish.id, NewWebhook(webhook_url(wish.url, RULES), sealed))
        assert record(connection, now_ms, [Ended(wish.key_id, wish.id, "job.completed") for wish in wishes]) == len(
            wishes
        )

    await database.write(write)
    return [wish.id for wish in wishes]


async def log(database: Database, object_id: bytes | None = None, key_id: bytes = MASTER_KEY_ID) -> list[DeliveryRow]:
    page = await database.read(list_deliveries, (key_id,), Window(limit=100), DeliveryFilter(object_id))
    assert page is not None
    return list(page.items)


async def wait_states(database: Database, expected: set[str], limit_s: float = PATIENCE_S) -> list[DeliveryRow]:
    """Wait until the deliveries' states are these."""
    async with asyncio.timeout(limit_s):
        rows = await log(database)
        while {row.state for row in rows} != expected:
            await asyncio.sleep(0.02)
            rows = await log(database)
    return rows


async def test_an_event_arrives_signed_by_the_keys_own_secret_or_by_the_given_one(database: Database) -> None:
    async with receiving() as receiver, delivering(database, config([1])) as deliveries:
        own, given = Wish(receiver.url("/ok?own")), Wish(receiver.url("/ok?given"), GIVEN)
        await end(database, own, given)
        deliveries.look()
        await receiver.wait(lambda: len(receiver.got) == 2)
        for wish, secret in ((own, OWN), (given, GIVEN)):
            (got,) = [each for each in receiver.got if each.query == wish.url.partition("?")[2]]
            said = Webhook(secret).verify(got.body, got.headers)
            assert (said["type"], said["data"]) == ("job.completed", {"id": public_id(Prefix.JOB, wish.id)})
            assert (got.id, got.headers["user-agent"]) == (said["id"], "Laneway/1.2.3")
        rows = await wait_states(database, {"delivered"})
        assert [[(each.n, each.status, each.error) for each in row.tries] for row in rows] == [[(1, 200, None)]] * 2


def stored(connection: Connection, _now_ms: int) -> str | None:
    return connection.execute(select(webhook_endpoint.c.secret)).scalar_one()


async def test_a_given_secret_is_not_readable_in_the_database(database: Database) -> None:
    await end(database, Wish("http://127.0.0.1:9999/", GIVEN))
    sealed = await database.read(stored)
    assert sealed is not None
    assert GIVEN.removeprefix("whsec_")[:10] not in sealed


async def test_failures_are_tried_again_on_schedule_with_the_same_id_and_a_new_signature(database: Database) -> None:
    async with receiving() as receiver, delivering(database, config([1, 1])) as deliveries:
        await end(database, Wish(receiver.url("/flaky")))
        deliveries.look()
        await receiver.wait(lambda: len(receiver.got) == 3)
        first, second, third = receiver.got
        assert second.at_s - first.at_s > 0.95
        assert third.at_s - second.at_s > 0.95
        assert {each.id for each in receiver.got} == {first.id}
        assert {each.body for each in receiver.got} == {first.body}
        stamps = [int(each.headers["webhook-timestamp"]) for each in receiver.got]
        assert stamps[0] < stamps[1] < stamps[2]
        for got in receiver.got:
            Webhook(OWN).verify(got.body, got.headers)
        (row,) = await wait_states(database, {"delivered"})
        assert [each.status for each in row.tries] == [500, 500, 200]


async def test_the_schedule_ends(database: Database) -> None:
    async with receiving() as receiver, delivering(database, config(["50ms", "50ms"])) as deliveries:
        await end(database, Wish(receiver.url("/moved")))
        deliveries.look()
        (row,) = await wait_states(database, {"failed"})
        assert [(each.status, each.error) for each in row.tries] == [(301, None)] * 3
        assert receiver.at("/trap") == []


async def test_a_receiver_that_never_answers_is_given_up_too(database: Database) -> None:
    async with receiving() as receiver, delivering(database, config(["50ms", "50ms"], "300ms")) as deliveries:
        await end(database, Wish(receiver.url("/hang")))
        deliveries.look()
        (row,) = await wait_states(database, {"failed"})
        assert [(each.status, each.error) for each in row.tries] == [(None, "timeout")] * 3


async def test_410_disables_the_endpoint_after_one_try(database: Database) -> None:
    async with receiving() as receiver, delivering(database, config(["50ms"] * 5)) as deliveries:
        await end(database, Wish(receiver.url("/gone")))
        deliveries.look()
        (row,) = await wait_states(database, {"failed"})
        assert [each.status for each in row.tries] == [410]
        assert row.disabled_at_ms is not None
        assert await database.write(send_again, (MASTER_KEY_ID,), row.id) == NotSent.DISABLED
        again = [Ended(MASTER_KEY_ID, row.object_id, "job.again")]
        assert await database.write(record, again) == 0
        await asyncio.sleep(0.3)
        assert len(receiver.got) == 1


async def test_a_busy_receiver_is_left_alone_for_the_time_that_it_asks_for(database: Database) -> None:
    async with receiving() as receiver, delivering(database, config(["50ms"] * 3)) as deliveries:
        await end(database, Wish(receiver.url("/busy")))
        deliveries.look()
        await receiver.wait(lambda: len(receiver.got) == 2)
        assert receiver.got[1].at_s - receiver.got[0].at_s > 1.9


async def test_slow_receivers_hurt_nobody_and_get_four_posts_at_once(database: Database) -> None:
    async with receiving() as slow, receiving() as quick, delivering(database, config([60], "300s")) as deliveries:
        await end(
            database, *(Wish(slow.url("/hang")) for _ in range(200)), *(Wish(slow.url(f"/hang?{n}")) for n in range(50))
        )
        deliveries.look()
        await slow.wait(lambda: len(slow.got) == PER_RECEIVER)
        await end(database, *(Wish(quick.url("/ok")) for _ in range(50)))
        began = asyncio.get_running_loop().time()
        deliveries.look()
        await quick.wait(lambda: len(quick.got) == 50)
        assert asyncio.get_running_loop().time() - began < 60  # the slow ones are waited for much longer
        assert (len(slow.got), slow.most_at_once["/hang"]) == (PER_RECEIVER, PER_RECEIVER)
        assert quick.most_at_once["/ok"] <= PER_RECEIVER


async def test_room_that_becomes_free_is_used_at_once(database: Database) -> None:
    async with receiving() as receiver, delivering(database, config([1]), look_every_ms=600_000) as deliveries:
        await end(database, *(Wish(receiver.url("/ok")) for _ in range(10 * PER_RECEIVER)))
        deliveries.look()
        await receiver.wait(lambda: len(receiver.got) == 10 * PER_RECEIVER)


async def test_several_processes_share_the_deliveries_and_send_each_once(database: Database, database_url: str) -> None:
    other = open_database(database_url)
    try:
        async with (
            receiving() as receiver,
            delivering(database, config([1])) as one,
            delivering(other, config([1])) as two,
        ):
            await end(database, *(Wish(receiver.url(f"/ok/{n % 20}")) for n in range(200)))
            one.look()
            two.look()
            await receiver.wait(lambda: len(receiver.got) >= 200)
            await wait_states(database, {"delivered"})
            assert len({got.id for got in receiver.got}) == len(receiver.got) == 200
    finally:
        await other.close()


async def claimed(database: Database, lease_ms: int = LEASE_MS) -> Claim:
    return await database.write(claim_due, DeliveryRoom(), lease_ms)


async def wait_due(database: Database, limit_s: float = PATIENCE_S) -> None:
    """Wait until a delivery is due."""
    async with asyncio.timeout(limit_s):
        due = await database.read(any_due)
        while not due:
            await asyncio.sleep(0.05)
            due = await database.read(any_due)


async def test_a_delivery_whose_worker_died_is_due_again_after_its_lease(database: Database) -> None:
    await end(database, Wish("http://127.0.0.1:9999/"))
    (lost,) = (await claimed(database, lease_ms=4_000)).deliveries
    assert (await claimed(database)).deliveries == []
    await wait_due(database)
    (found,) = (await claimed(database)).deliveries
    assert (found.id, found.event_id, found.n, found.failures) == (lost.id, lost.event_id, 2, 0)


async def test_a_late_report_changes_nothing_unless_it_is_a_delivery(database: Database) -> None:
    await end(database, Wish("http://127.0.0.1:9999/"))
    (late,) = (await claimed(database, lease_ms=-1)).deliveries
    (current,) = (await claimed(database)).deliveries
    failed = EndedTry(late, Sent(500), 1, GaveUp())
    await database.write(settle_tries, [failed])
    (row,) = await log(database)
    assert (row.state, [each.n for each in row.tries]) == ("sending", [1])
    await database.write(settle_tries, [EndedTry(late, Sent(200), 1, Delivered())])
    await database.write(settle_tries, [replace(failed, delivery=current)])
    (row,) = await log(database)
    assert row.state == "delivered"


async def test_what_was_delivered_or_failed_can_be_sent_again(database: Database) -> None:
    async with receiving() as receiver, delivering(database, config([])) as deliveries:
        await end(database, Wish(receiver.url("/ok")))
        deliveries.look()
        (row,) = await wait_states(database, {"delivered"})
        assert await database.write(send_again, (new_id(),), row.id) is None
        again = await database.write(send_again, (MASTER_KEY_ID,), row.id)
        assert isinstance(again, DeliveryRow)
        deliveries.look()
        await receiver.wait(lambda: len(receiver.got) == 2)
        assert receiver.got[0].id == receiver.got[1].id
        (row,) = await wait_states(database, {"delivered"})
        assert [each.n for each in row.tries] == [1, 2]


async def test_a_key_sees_its_own_deliveries_only(database: Database) -> None:
    mine, other = Wish("http://127.0.0.1:9999/"), Wish("http://127.0.0.1:9999/", key_id=new_id())
    await end(database, mine, other)
    (row,) = await log(database)
    assert row.object_id == mine.id
    assert await log(database, other.id) == []
    assert await database.read(get_delivery, (other.key_id,), row.id) is None
    assert await database.read(list_deliveries, (other.key_id,), Window(row.id), DeliveryFilter()) is None


async def test_the_log_is_paged(database: Database) -> None:
    await end(database, *(Wish("http://127.0.0.1:9999/") for _ in range(5)))
    seen: list[bytes] = []
    while True:
        page = await database.read(
            list_deliveries, (MASTER_KEY_ID,), Window(seen[-1] if seen else None, 2), DeliveryFilter()
        )
        assert page is not None
        seen += [row.id for row in page.items]
        if not page.has_more:
            break
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)


def add_job(connection: Connection, now_ms: int, *, notify: int, state: JobState, deadline_ms: int) -> bytes:
    job_id = new_id()
    row = {
        "id": job_id, "key_id": MASTER_KEY_ID, "endpoint": "/v1/embeddings", "state": state, "route": "m",
        "route_index": 0, "priority": 0, "created_at_ms": now_ms, "not_before_ms": 0,
        "deadline_at_ms": now_ms + deadline_ms, "notify": notify, "attempt": int(state == JobState.IN_PROGRESS),
    }  # fmt: skip
    connection.execute(insert(job).values(row))
    if state == JobState.IN_PROGRESS:
        started = {
            "job_id": job_id, "n": 1, "key_id": MASTER_KEY_ID, "provider": "p", "model": "m", "owner": bytes(16),
            "outcome": AttemptOutcome.STARTED, "lease_until_ms": now_ms + 60_000, "started_at_ms": now_ms,
            "cost_basis": "none",
        }  # fmt: skip
        connection.execute(insert(attempt).values(started))
    insert_endpoint(connection, now_ms, MASTER_KEY_ID, job_id, NewWebhook(webhook_url("http://127.0.0.1:9999/", RULES)))
    return job_id


def events_of(connection: Connection, _now_ms: int, job_id: bytes) -> list[str]:
    query = select(event.c.type).join(delivery, delivery.c.event_id == event.c.id).where(event.c.object_id == job_id)
    return list(connection.execute(query).scalars())


@pytest.mark.parametrize("notify", [0, 1])
async def test_a_job_that_ends_has_its_event_in_the_same_transaction_where_it_was_asked_for(
    database: Database, notify: int
) -> None:
    running: dict[str, Any] = {"notify": notify, "state": JobState.IN_PROGRESS, "deadline_ms": 600_000}
    done = await database.write(add_job, **running)
    bad = await database.write(add_job, **running)
    late = await database.write(add_job, notify=notify, state=JobState.QUEUED, deadline_ms=-1)
    settlements = [
        Settlement(done, 1, MASTER_KEY_ID, None, Completed(b"{}"), AttemptOutcome.OK),
        Settlement(bad, 1, MASTER_KEY_ID, None, Failed(ErrorClass.INTERNAL, "{}"), AttemptOutcome.ERROR),
    ]
    finished = await database.write(finish, settlements)
    assert finished.to_send is bool(notify)
    await database.write(finish, settlements)  # the same report again
    await database.write(expire_jobs)
    for job_id, ended in ((done, "completed"), (bad, "failed"), (late, "expired")):
        assert await database.read(events_of, job_id) == [f"job.{ended}"] * notify


async def test_a_secret_that_signs_is_stored_under_the_pepper_in_use(database: Database) -> None:
    new_pepper = b"the pepper that follows"
    async with receiving() as receiver, delivering(database, config([]), peppers=(new_pepper, PEPPER)) as deliveries:
        await end(database, Wish(receiver.url("/ok"), GIVEN))
        deliveries.look()
        await receiver.wait(lambda: len(receiver.got) == 1)
        Webhook(GIVEN).verify(receiver.got[0].body, receiver.got[0].headers)
    sealed = await database.read(stored)
    assert sealed is not None
    assert unseal([new_pepper], sealed) == GIVEN


async def test_an_unreadable_secret_fails_the_delivery_and_not_the_worker(database: Database) -> None:
    async with receiving() as receiver, delivering(database, config([])) as deliveries:
        good, spoiled = Wish(receiver.url("/ok")), Wish(receiver.url("/never"), GIVEN)
        await end(database, good, spoiled)
        other = seal(b"another pepper", GIVEN)
        await database.write(
            lambda connection, _now: (
                connection.execute(
                    update(webhook_endpoint).where(webhook_endpoint.c.object_id == spoiled.id).values(secret=other)
                )
                and None
            )
        )
        deliveries.look()
        rows = await wait_states(database, {"delivered", "failed"})
        (failed,) = [row for row in rows if row.state == "failed"]
        assert [(each.status, each.error) for each in failed.tries] == [(None, "secret_unreadable")]
        assert receiver.at("/never") == []
