"""The sabotages: each switches one mechanism of the protocol off inside a worker child.

A fault test that stays green with its mechanism off proves nothing; every one is therefore run a second time with the
sabotage that must turn it red.
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import dramatiq.common
from sqlalchemy import Connection, delete, insert, select, update

import store.clock
import store.database
import store.leases
import workers.claimer
import workers.engine
import workers.sweeper
from router.lifecycle import JOB_ACTIVE, JobState
from router.outcome import AttemptOutcome
from router.rooms import Rooms
from store.claim import Claimant, ClaimedJob
from store.leases import Rescue
from store.messages import Message
from store.tables import attempt, job, slices
from tests.faults.failpoints import Write, around_writes, put
from tests.faults.sabotages_outward import OUTWARD
from tests.faults.sabotages_shares import SHARES
from workers.broker import LanewayBroker
from workers.claimer import Claimer
from workers.engine import Engine
from workers.handouts import HandOuts
from workers.publisher import Publisher
from workers.renewer import Renewer
from workers.sweeper import Sweeper

COPIES = 5
WRONG_S = 90


def switch_off(name: str) -> None:
    """Switch one mechanism off. Raises KeyError for a name that does not exist."""
    SABOTAGES[name]()


def _no_sweep() -> None:
    """Nobody sweeps."""

    async def sweep(_self: Sweeper) -> bool:
        return True

    put(Sweeper, "sweep", sweep)


def _no_epoch() -> None:
    """Nobody notices that Redis was emptied."""

    def enter_epoch(_connection: Connection, _now_ms: int, _epoch: str) -> bool:
        return False

    put(workers.sweeper, "enter_epoch", enter_epoch)


def _no_resend() -> None:
    """What was published once is never published again."""

    async def resend(_self: HandOuts, _queue: str, _now_ms: int, _settled_ms: int) -> None:
        return None

    put(HandOuts, "resend", resend)


def _no_expiry() -> None:
    """Nobody looks whether the time of a job or a batch is over."""

    async def expire(_self: Sweeper) -> None:
        return None

    put(Sweeper, "_expire", expire)


def _no_end_of_poison() -> None:
    """A job may take down any number of workers."""
    put(store.leases, "POISON_CRASHES", 10**9)


def _no_suspects() -> None:
    """Every job that a worker held when it died is blamed for it, each time."""
    put(store.leases, "WATCHED_CRASHES", 10**9)
    put(workers.engine, "WATCHED_CRASHES", 10**9)
    put(workers.engine, "SUSPECT_CRASHES", 10**9)


def _no_windows() -> None:
    """Whatever waits is handed out at once."""

    def boundless(_self: Rooms, _of: object) -> int:
        return 1 << 30

    put(Rooms, "left", boundless)
    put(Rooms, "_free", boundless)


def _no_poll() -> None:
    """Without Redis workers wait for its return."""

    async def poll(_self: Claimer, _queue: str) -> None:
        return None

    put(Claimer, "poll", poll)


def _no_write_ahead() -> None:
    """Call first, write later: here, never."""
    original: Any = vars(workers.claimer)["claim_slice"]

    def claim_slice(connection: Connection, now_ms: int, claimant: Claimant, slice_id: bytes) -> list[ClaimedJob]:
        jobs: list[ClaimedJob] = original(connection, now_ms, claimant, slice_id)
        connection.execute(delete(attempt).where(attempt.c.job_id.in_([each.id for each in jobs])))
        return jobs

    put(workers.claimer, "claim_slice", claim_slice)


def _no_grace() -> None:
    """A stop cuts the calls under way at once."""
    original = Engine.drain

    async def drain(self: Engine, _grace_ms: int) -> None:
        await original(self, 0)

    put(Engine, "drain", drain)


def _claim_unconditional() -> None:
    """A message's lines are claimed whether they wait or not."""
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


def _host_clock() -> None:
    """Leases and deadlines go by the clock of whoever asks, not by the database's."""

    def now_ms(_connection: Connection) -> int:
        return store.clock.host_ms()

    put(store.database, "now_ms", now_ms)


def _clock_behind() -> None:
    """No sabotage but a host whose clock is wrong."""
    _set_clock(-WRONG_S)


def _clock_ahead() -> None:
    """No sabotage but a host whose clock is wrong."""
    _set_clock(WRONG_S)


def _set_clock(wrong_s: int) -> None:
    right, right_ns = time.time, time.time_ns

    def wrong() -> float:
        return right() + wrong_s

    def wrong_ns() -> int:
        return right_ns() + wrong_s * 1_000_000_000

    put(time, "time", wrong)
    put(time, "time_ns", wrong_ns)
    assert vars(dramatiq.common)["time"] is right
    put(dramatiq.common, "time", wrong)


def _always_maintain() -> None:
    """No sabotage but a hard day: dramatiq looks for messages of dead workers whenever a message is asked for."""
    put(LanewayBroker, "_should_do_maintenance", lambda _self, _command: 1)


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
    "no_expiry": _no_expiry,
    "no_end_of_poison": _no_end_of_poison,
    "no_suspects": _no_suspects,
    "no_windows": _no_windows,
    "no_poll": _no_poll,
    "no_write_ahead": _no_write_ahead,
    "no_grace": _no_grace,
    "claim_unconditional": _claim_unconditional,
    "late_renewals": _late_renewals,
    "host_clock": _host_clock,
    "clock_behind": _clock_behind,
    "clock_ahead": _clock_ahead,
    "always_maintain": _always_maintain,
    "copies": _copies,
    **OUTWARD,
    **SHARES,
}
