"""Ends of attempts: the first success wins, all else is fenced, and every cost is counted once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from providers.failure import ErrorClass
from router.lifecycle import JobState
from store.claim import ClaimedJob
from store.closing import expire_jobs
from store.finish import finish
from store.ids import MASTER_KEY_ID, new_id
from store.leases import rescue
from tests.faults.schedules_rows import (
    COST,
    FAILURE_COST,
    LEASE_MS,
    add_job,
    answered,
    cut,
    given_up,
    moved_on,
    released,
    retried,
)
from tests.services.job_protocol import Store, open_store

MONEY = "SELECT job_id, n, amount_nanousd, basis FROM ledger ORDER BY job_id, n"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    async with open_store(database_url) as store:
        yield store


async def overtaken(store: Store) -> tuple[ClaimedJob, ClaimedJob]:
    """A job whose first worker was taken for dead while it was calling: both attempts."""
    first = await store.claim_one(await store(add_job))
    store.now_ms += LEASE_MS + 1
    await store(rescue, 0)
    return first, await store.claim_one(first.id)


async def states(store: Store) -> list[str]:
    return [row.state for row in await store.rows("SELECT state FROM job ORDER BY id")]


async def outcomes(store: Store) -> list[str]:
    return [row.outcome for row in await store.rows("SELECT outcome FROM attempt ORDER BY job_id, n")]


async def spent(store: Store) -> int:
    found: int = (await store.row("SELECT spent_nanousd FROM key")).spent_nanousd
    return found


async def test_a_group_with_one_late_success_ends_every_job(store: Store) -> None:
    first, _ = await overtaken(store)
    others = [await store.claim_one(await store(add_job)) for _ in range(3)]
    done = await store(finish, [answered(first), answered(others[0]), given_up(others[1]), retried(others[2], 0)])
    assert dict(done.states) == {"completed": 2, "failed": 1, "queued": 1}
    assert await states(store) == ["completed", "completed", "failed", "queued"]
    assert await outcomes(store) == ["ok", "started", "ok", "error", "error"]
    assert await spent(store) == 2 * COST + FAILURE_COST
    assert await store.check() == []


async def test_the_first_success_wins_and_the_second_still_costs(store: Store) -> None:
    first, second = await overtaken(store)
    await store(finish, [answered(second)])
    await store(finish, [answered(first)])
    assert await outcomes(store) == ["late_ok", "ok"]
    assert (await store.row("SELECT attempt_n FROM result")).attempt_n == 2
    assert await spent(store) == 2 * COST
    assert await store.check(finished=True) == []


async def test_a_late_success_ends_a_job_that_waits_for_its_next_try(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    store.now_ms += LEASE_MS + 1
    await store(rescue, 0)
    await store(finish, [answered(claimed)])
    assert await states(store) == ["completed"]
    assert await store.claim(new_id(), claimed.id) == []
    assert await store.check(finished=True) == []


@pytest.mark.parametrize("end", [retried, moved_on, released], ids=lambda end: end.__name__)
async def test_a_late_failure_of_an_overtaken_worker_changes_nothing_but_its_own_attempt(
    store: Store, end: type
) -> None:
    first, second = await overtaken(store)
    await store(finish, [end(first, store.now_ms)])
    assert tuple(await store.row("SELECT state, attempt, queue, tries FROM job")) == ("in_progress", 2, "one", 0)
    assert await store.check() == []
    await store(finish, [answered(second)])
    assert await store.check(finished=True) == []


async def test_a_late_refusal_of_an_overtaken_worker_does_not_fail_the_job(store: Store) -> None:
    first, _ = await overtaken(store)
    await store(finish, [given_up(first)])
    assert await states(store) == ["in_progress"]
    assert await spent(store) == FAILURE_COST
    assert await store.check() == []


async def test_a_late_truth_replaces_the_exposure_of_an_abandoned_attempt(store: Store) -> None:
    first, _ = await overtaken(store)
    assert [tuple(line)[1:] for line in await store.rows(MONEY)] == [(1, None, "unknown")]
    await store(finish, [answered(first)])
    assert [tuple(line)[1:] for line in await store.rows(MONEY)] == [(1, COST, "reported")]
    assert await store.check() == []


async def test_a_group_that_is_committed_twice_counts_once(store: Store) -> None:
    claimed = [await store.claim_one(await store(add_job)) for _ in range(5)]
    ends = [answered(claimed[0]), answered(claimed[1], cost_nanousd=None), given_up(claimed[2]),
            retried(claimed[3], store.now_ms), moved_on(claimed[4], store.now_ms)]  # fmt: skip
    everything = "SELECT * FROM {}"
    await store(finish, ends)
    once = [await store.rows(everything.format(table)) for table in ("job", "attempt", "result", "ledger", "key")]
    await store(finish, ends)
    twice = [await store.rows(everything.format(table)) for table in ("job", "attempt", "result", "ledger", "key")]
    assert [sorted(map(tuple, rows), key=repr) for rows in twice] == [
        sorted(map(tuple, rows), key=repr) for rows in once
    ]
    assert await store.check() == []


async def test_groups_that_share_jobs_and_come_at_the_same_time_end_each_job_once(store: Store) -> None:
    pairs = [await overtaken(store) for _ in range(6)]
    groups = [[answered(first) for first, _ in pairs], [answered(second) for _, second in reversed(pairs)]] * 2
    async with store.second() as other:
        await asyncio.gather(*(each(finish, group) for each, group in zip([store, other] * 2, groups, strict=True)))
    assert await states(store) == ["completed"] * 6
    assert sorted(await outcomes(store)) == ["late_ok"] * 6 + ["ok"] * 6
    assert await spent(store) == 12 * COST
    assert await store.check(finished=True) == []


async def test_an_answer_without_a_known_price_is_exposure_and_not_free(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    await store(finish, [answered(claimed, cost_nanousd=None)])
    assert [tuple(line)[1:] for line in await store.rows(MONEY)] == [(1, None, "unknown")]
    assert await spent(store) == 0
    assert await store.check(finished=True) == []


async def test_a_call_that_was_cut_while_its_job_still_waits_gives_the_job_back(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    done = await store(finish, [cut(claimed)])
    assert done.states[JobState.QUEUED] == 1
    assert await outcomes(store) == ["unknown"]
    (again,) = await store.claim(new_id(), claimed.id)
    assert again.n == 2
    assert await store.check() == []


async def test_the_end_of_a_call_after_its_job_expired_only_adds_its_cost(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job, window_ms=1_000))
    store.now_ms += 1_000
    assert [(each.id, each.was_running) for each in await store(expire_jobs)] == [(claimed.id, True)]
    await store(finish, [answered(claimed)])
    assert tuple(await store.row("SELECT state, error_class, cost_nanousd FROM job")) == ("expired", "expired", COST)
    assert await outcomes(store) == ["late_ok"]
    assert await store.check(finished=True) == []


async def test_a_job_that_cannot_wait_for_its_next_try_expires(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    await store(finish, [given_up(claimed, ErrorClass.EXPIRED)])
    assert await states(store) == ["expired"]
    assert await store.check(finished=True) == []


async def test_every_line_of_the_ledger_belongs_to_its_key(store: Store) -> None:
    claimed = await store.claim_one(await store(add_job))
    await store(finish, [answered(claimed)])
    assert (await store.row("SELECT key_id FROM ledger")).key_id == MASTER_KEY_ID
