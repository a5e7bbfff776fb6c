"""Hand-out: what waits in SQL is given to the queues, only as much as will be needed soon.

All the rest waits here, where it is still open who is served first (`router.turns`) and, for batches, by which
deployment (`router.rooms`). Single jobs go first, then slices. A row is marked as published before its message is
sent: if the process dies in between, `store.resends` finds it.
"""

from sqlalchemy import Connection, func, literal_column, select

from router.queues import is_batch
from router.rooms import Plan, Published, Rooms
from store.compiled import fetch
from store.job_handout import publish_due_jobs
from store.loose import distinct_values
from store.messages import Message, SliceMessage, job_messages
from store.shares import Served
from store.slice_handout import publish_slices
from store.tables import job, slices
from store.waiting import published_job, published_slice, unpublished_job, unpublished_slice

_ADVISORY_LOCK = 0x6C616E65  # "lane"
_MOST_QUEUES = 1_000

_JOBS = select(job.c.queue, func.count()).where(published_job()).group_by(job.c.queue)
_SLICES = (
    select(slices.c.queue, slices.c.route, slices.c.route_index, func.sum(slices.c.jobs))
    .where(published_slice())
    .group_by(slices.c.queue, slices.c.route, slices.c.route_index)
)
_BUSY = (
    select(distinct_values(job.c.queue, unpublished_job(), most=_MOST_QUEUES).c.value),
    select(distinct_values(job.c.queue, published_job(), most=_MOST_QUEUES).c.value),
    select(distinct_values(slices.c.queue, published_slice(), most=_MOST_QUEUES).c.value),
    select(slices.c.queue).where(unpublished_slice()).order_by(slices.c.key_id).limit(literal_column("1")),
)


def hand_out(connection: Connection, now_ms: int, plan: Plan) -> list[Message]:
    """Mark as published what there is room for and return the messages to send after the commit.

    The last slice of a deployment may reach over the edge of its room.
    """
    _one_at_a_time(connection)
    rooms = Rooms(plan, *_unclaimed(connection))
    messages: list[Message] = []
    served = Served()
    for queue in plan.queues:
        job_ids = publish_due_jobs(connection, now_ms, queue, rooms.left(queue), served)
        rooms.take(queue, len(job_ids))
        messages += job_messages(queue, job_ids, now_ms)
    if any(is_batch(queue) for queue in plan.queues):
        chosen = publish_slices(connection, now_ms, rooms, served)
        messages += [SliceMessage(each.place.queue, each.slice_id, now_ms) for each in chosen]
    else:
        served.write(connection)
    return messages


def _one_at_a_time(connection: Connection) -> None:
    """Let hand-outs follow each other, so that each counts what the one before it published.

    SQLite has one writer anyway. No lock is held on the batches, which a group that finishes their lines would hide.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))


def unclaimed(connection: Connection, _now_ms: int, queue: str) -> int:
    """Count the jobs of a queue that are published and not yet claimed."""
    jobs, published = _unclaimed(connection)
    return jobs.get(queue, 0) + sum(each.jobs for each in published if each.queue == queue)


def _unclaimed(connection: Connection) -> tuple[dict[str, int], list[Published]]:
    """What is published and not yet claimed: the windows bound it."""
    jobs = {queue: count for queue, count in fetch(connection, _JOBS, {})}
    published = fetch(connection, _SLICES, {})
    return jobs, [Published(queue, route, index, int(count)) for queue, route, index, count in published]


def busy_queues(connection: Connection, _now_ms: int) -> set[str]:
    """List the queues that have something unclaimed. Of all slices that wait for room it is the queue of one."""
    return {queue for each in _BUSY for (queue,) in fetch(connection, each, {}) if queue is not None}
