"""The sabotages: each switches one mechanism of the protocol off inside a worker child.

A fault test that stays green with its mechanism off proves nothing; every one is therefore run a second time with the
sabotage that must turn it red.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from sqlalchemy import Connection, delete, insert, select, update

import store.limits.script
import workers.claimer
import workers.gate
import workers.sweeper
from router.budget import Payer
from router.lifecycle import JOB_ACTIVE, JobState
from router.outcome import AttemptOutcome
from router.retry_budget import RetryBudget
from router.scope import Scope
from router.standing import Closed
from router.turns import Turns
from store.budgets import Budgets
from store.claim import Claimant, ClaimedJob
from store.leases import Rescue
from store.limits import Refusal
from store.messages import Message
from store.tables import attempt, job, slices
from tests.faults.failpoints import Write, around_writes, put
from workers.engine import Engine
from workers.handouts import HandOuts
from workers.limiter import Limiter
from workers.publisher import Publisher
from workers.renewer import Renewer
from workers.sweeper import Sweeper

COPIES = 5


def switch_off(name: str) -> None:
    """Switch one mechanism off. Raises KeyError for a name that does not exist."""
    SABOTAGES[name]()


def _no_sweep() -> None:
    async def sweep(_self: Sweeper) -> bool:
        return True

    put(Sweeper, "sweep", sweep)


def _no_epoch() -> None:
    def enter_epoch(_connection: Connection, _now_ms: int, _epoch: str) -> bool:
        return False

    put(workers.sweeper, "enter_epoch", enter_epoch)


def _no_resend() -> None:
    async def resend(_self: HandOuts, _queue: str, _now_ms: int, _settled_ms: int) -> None:
        return None

    put(HandOuts, "resend", resend)


def _no_write_ahead() -> None:
    """Call first, write later: here, never."""
    original: Any = vars(workers.claimer)["claim_slice"]

    def claim_slice(connection: Connection, now_ms: int, claimant: Claimant, slice_id: bytes) -> list[ClaimedJob]:
        jobs: list[ClaimedJob] = original(connection, now_ms, claimant, slice_id)
        connection.execute(delete(attempt).where(attempt.c.job_id.in_([each.id for each in jobs])))
        return jobs

    put(workers.claimer, "claim_slice", claim_slice)


def _no_grace() -> None:
    original = Engine.drain

    async def drain(self: Engine, _grace_ms: int) -> None:
        await original(self, 0)

    put(Engine, "drain", drain)


def _claim_unconditional() -> None:
    put(workers.claimer, "claim_slice", claim_whatever_it_holds)


def claim_whatever_it_holds(
    connection: Connection, now_ms: int, claimant: Claimant, slice_id: bytes
) -> list[ClaimedJob]:
    """Claim a slice's unfinished lines without asking whether somebody has claimed them already."""
    connection.execute(update(slices).where(slices.c.id == slice_id).values(claimed_at_ms=now_ms))
    own = (job.c.slice_id == slice_id) & job.c.state.in_(JOB_ACTIVE)
    connection.execute(update(job).where(own).values(state=JobState.IN_PROGRESS, attempt=job.c.attempt + 1))
    rows = connection.execute(
        select(
            job.c.id, job.c.attempt, job.c.key_id, job.c.batch_id, job.c.endpoint, job.c.route, job.c.route_index,
            job.c.queue, job.c.deadline_at_ms, job.c.tries, job.c.provider_tries, job.c.unknowns, job.c.crashes,
        ).where(own)
    )  # fmt: skip
    jobs = [ClaimedJob(*cast("tuple[Any, ...]", row)) for row in rows]
    for each in jobs:
        connection.execute(insert(attempt).values(**_attempt(each, claimant, now_ms)))
    return jobs


def _attempt(claimed: ClaimedJob, claimant: Claimant, now_ms: int) -> dict[str, object]:
    return {
        "job_id": claimed.id,
        "n": claimed.n,
        "key_id": claimed.key_id,
        "provider": "sim",
        "model": "sim-small",
        "owner": claimant.worker_id,
        "lease_until_ms": now_ms + claimant.lease_ms,
        "started_at_ms": now_ms,
        "outcome": AttemptOutcome.STARTED,
    }


def _late_renewals() -> None:
    """While calls are under way nothing is renewed until they were taken for lost; from then on it is in time."""
    original = Renewer.renew
    is_late = True

    async def renew(self: Renewer) -> None:
        if self._engine.in_flight == 0 or not is_late:
            await original(self)

    async def watch(write: Write, query: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal is_late
        done: Rescue = await write(query, *args, **kwargs)
        is_late = is_late and not done.requeued
        return done

    put(Renewer, "renew", renew)
    around_writes("rescue", watch)


def _bucket_starts_full() -> None:
    _in_scripts("return {level = 0,", "return {level = 1e15,")


def _incr_slots() -> None:
    """What a dead process counted up nobody counts down."""
    _in_scripts("local SILENT_MS = 15000", "local SILENT_MS = 1e15")


def _short_silence() -> None:
    """No sabotage but less to wait for: a process that says nothing is given up after a shorter time."""
    _in_scripts("local SILENT_MS = 15000", "local SILENT_MS = 8000")


def _in_scripts(text: str, instead: str) -> None:
    """Change one place in what all scripts of limits are made of."""
    original: Callable[[str], str] = store.limits.script.source

    def source(name: str) -> str:
        whole = original(name)
        assert text in whole, f"the scripts of limits say {text!r} no more"
        return whole.replace(text, instead)

    put(store.limits.script, "source", source)


def _no_closures() -> None:
    """Neither a 429 nor a breaker keeps anybody away."""

    def close(_self: Limiter, _scope: Scope, _reason: Closed, _for_ms: int) -> None:
        return None

    def refused(_self: Limiter, _scope: Scope, _refusal: Refusal) -> None:
        return None

    put(Limiter, "close", close)
    put(Limiter, "refused", refused)


def _no_retry_budget() -> None:
    def delay_ms(_self: RetryBudget, _now_ms: int) -> int:
        return 0

    put(RetryBudget, "delay_ms", delay_ms)


def _no_singles_first() -> None:
    """Jobs that somebody waits for stand in line behind the lines of batches."""

    def is_batch(_queue: str) -> bool:
        return True

    put(workers.gate, "is_batch", is_batch)


def _no_turns() -> None:
    """Nobody's time moves on: who was first is served until nothing of it is left."""
    original = Turns.took

    def took(self: Turns, jobs: int) -> None:
        if not jobs:
            original(self, 0)

    put(Turns, "took", took)


def _stale_budgets() -> None:
    """A process goes by what it read of budgets when it first needed them, not by what stands under the lock."""
    original = Budgets.__init__
    read: list[Any] = []

    def begin(self: Budgets, connection: Connection, now_ms: int, names: Iterable[Payer]) -> None:
        original(self, connection, now_ms, names)
        read.append(self._states)
        self._states = read[0]

    put(Budgets, "__init__", begin)


def _copies() -> None:
    """No sabotage but a hard day: every message is sent five times, in any order."""
    original = Publisher._send

    def send(self: Publisher, messages: Sequence[Message]) -> None:
        copies = [message for message in messages for _ in range(COPIES)]
        random.shuffle(copies)
        original(self, copies)

    put(Publisher, "_send", send)


SABOTAGES: dict[str, Callable[[], None]] = {
    "no_sweep": _no_sweep,
    "no_epoch": _no_epoch,
    "no_resend": _no_resend,
    "no_write_ahead": _no_write_ahead,
    "no_grace": _no_grace,
    "claim_unconditional": _claim_unconditional,
    "late_renewals": _late_renewals,
    "copies": _copies,
    "stale_budgets": _stale_budgets,
    "bucket_starts_full": _bucket_starts_full,
    "incr_slots": _incr_slots,
    "short_silence": _short_silence,
    "no_closures": _no_closures,
    "no_retry_budget": _no_retry_budget,
    "no_singles_first": _no_singles_first,
    "no_turns": _no_turns,
}
