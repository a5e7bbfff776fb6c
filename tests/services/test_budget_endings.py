"""Whatever becomes of a job, what was set aside for it is given back when it ends, and only then."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, update

from router.budget import Payer, PayerKind, Period
from store.budget_edits import set_budget
from store.claim import ClaimedJob
from store.closing import expire_jobs
from store.finish import finish
from store.ids import MASTER_KEY_ID, new_id
from store.leases import POISON_CRASHES, mark_watched, rescue
from store.stopping import cancel_job, expire_job, withdraw_job
from store.submission import HandOver, Submitted, submit
from store.tables import job
from tests.faults.schedules_rows import (
    DAY_MS,
    ESTIMATE,
    LEASE_MS,
    answered,
    claimant,
    cut,
    given_up,
    interrupted,
    new_job,
    released,
    retried,
)
from tests.services.job_protocol import Store, open_store


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """A store in which the master key and a tag have a budget."""
    async with open_store(database_url) as store:
        for payer in (Payer(PayerKind.KEY, MASTER_KEY_ID.hex()), Payer(PayerKind.TAG, "evals")):
            await store(set_budget, payer, Period.TOTAL, 100)
        yield store


async def reserved(store: Store) -> list[int]:
    """What is set aside of each budget."""
    return [row[0] for row in await store.rows("SELECT reserved_nanousd FROM budget ORDER BY payer")]


async def made(store: Store, *, handed_off: bool = False) -> tuple[bytes, ClaimedJob | None]:
    """Make a job; returns its id, and what was claimed with it."""
    new = replace(new_job(), tags=("evals",))
    hand_over = HandOver(claimant(new_id()), frozenset({new.id})) if handed_off else None
    (outcome,) = await store(submit, [new], marked=True, hand_over=hand_over)
    assert isinstance(outcome, Submitted)
    return new.id, outcome.claimed


Ending = Callable[[Store, ClaimedJob], Awaitable[object]]


def reports(report: Callable[..., Any], *args: Any) -> Ending:
    return lambda store, claimed: store(finish, [report(claimed, *args)])


async def poison(store: Store, claimed: ClaimedJob) -> None:
    await store(mark_watched, claimed.id, claimed.n)
    await store(_crashed, claimed.id)
    store.now_ms += LEASE_MS + 1
    done = await store(rescue, 0)
    assert [each.id for each in done.poisoned] == [claimed.id]


def _crashed(connection: Connection, _now_ms: int, job_id: bytes) -> None:
    connection.execute(update(job).where(job.c.id == job_id).values(crashes=POISON_CRASHES - 1))


async def late(store: Store, _claimed: ClaimedJob) -> None:
    store.now_ms += DAY_MS
    await store(expire_jobs)


ENDS = {
    "an answer": reports(answered),
    "an answer without a price": lambda store, one: store(finish, [answered(one, cost_nanousd=None)]),
    "a final failure": reports(given_up),
    "a deadline": late,
    "its caller's time": lambda store, one: store(expire_job, one.id),
    "a cancel": lambda store, one: store(cancel_job, one.id, owners=(MASTER_KEY_ID,)),
    "poison": poison,
}  # fmt: skip
PAUSES = {
    "a retry": reports(retried, 0),
    "a release": reports(released, 0),
    "a cut call": reports(cut),
    "a stopping worker": reports(interrupted, 0),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("handed_off", [False, True], ids=["queued", "handed off"])
async def test_every_end_gives_back_what_was_set_aside(store: Store, end: Ending, handed_off: bool) -> None:
    job_id, claimed = await made(store, handed_off=handed_off)
    assert await reserved(store) == [ESTIMATE, ESTIMATE]
    await end(store, claimed or await store.claim_one(job_id))
    assert await reserved(store) == [0, 0]
    assert await store.check() == []


@pytest.mark.parametrize("pause", PAUSES.values(), ids=PAUSES.keys())
async def test_a_job_that_is_to_be_tried_again_keeps_what_is_set_aside(store: Store, pause: Ending) -> None:
    job_id, _ = await made(store)
    await pause(store, await store.claim_one(job_id))
    assert await reserved(store) == [ESTIMATE, ESTIMATE]
    assert await store.check() == []


async def test_a_withdrawn_job_gives_back_what_was_set_aside(store: Store) -> None:
    (taken, _), (left, _) = await made(store), await made(store)
    await store.claim_one(taken)
    assert [await store(withdraw_job, each, None) for each in (taken, left)] == [False, True]
    assert await reserved(store) == [ESTIMATE, ESTIMATE]
    assert await store.check() == []
