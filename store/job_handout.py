"""The hand-out of single jobs: what a caller waits for at once, the rest as there is room, fairly over the keys.

Most jobs that a caller waits for are published when they are made; here are those that are tried again. The others are
async jobs, and lines that go alone. Within a key a job of higher priority goes first, then the one that has been due
for longer.
"""

from collections import deque

from sqlalchemy import BigInteger, Connection, bindparam, literal_column, select, tuple_, update

from router.turns import Turns
from store.compiled import fetch
from store.loose import distinct_values
from store.shares import Served, shares_of
from store.tables import job
from store.tables.columns import RawBytes
from store.waiting import called_job, unpublished_job

_MOST_KEYS = 1_000
_MOST_PRIORITIES = 64
_PER_TURN = 16
_PER_PAGE = 128

_IN_QUEUE = unpublished_job() & (job.c.queue == bindparam("queue"))
_OF_KEY = _IN_QUEUE & (job.c.key_id == bindparam("key"))
_KEYS = shares_of(distinct_values(job.c.key_id, _IN_QUEUE, most=_MOST_KEYS))
_found = distinct_values(job.c.priority, _OF_KEY, most=_MOST_PRIORITIES)
_PRIORITIES = select(_found.c.value).where(_found.c.value.is_not(None)).order_by(_found.c.value.desc())
_DUE = (
    select(job.c.not_before_ms, job.c.id)
    .where(
        _OF_KEY,
        job.c.priority == bindparam("priority"),
        job.c.not_before_ms <= bindparam("now", type_=BigInteger),
        tuple_(job.c.not_before_ms, job.c.id)
        > tuple_(bindparam("after_ms", type_=BigInteger), bindparam("after_id", type_=RawBytes(16))),
    )
    .order_by(job.c.not_before_ms, job.c.id)
    .limit(literal_column(str(_PER_PAGE)))
    .with_for_update(skip_locked=True)
)
_FIRST = (-1, b"")
_CALLED = (
    select(job.c.id)
    .where(called_job(), job.c.queue == bindparam("queue"), job.c.not_before_ms <= bindparam("now", type_=BigInteger))
    .order_by(job.c.not_before_ms)
    .limit(literal_column(str(_PER_PAGE)))
    .with_for_update(skip_locked=True)
)


def publish_due_jobs(connection: Connection, now_ms: int, queue: str, room: int, served: Served) -> list[bytes]:
    """Mark due jobs of a queue as published; returns them in the order in which they are to go.

    Those that a caller waits for need no room.
    """
    called = [job_id for (job_id,) in fetch(connection, _CALLED, {"queue": queue, "now": now_ms})]
    mark_jobs(connection, now_ms, called)
    return [*called, *_publish_shared(connection, now_ms, queue, room - len(called), served)]


def _publish_shared(connection: Connection, now_ms: int, queue: str, room: int, served: Served) -> list[bytes]:
    if room <= 0:
        return []
    shares = [served.share(row) for row in fetch(connection, _KEYS, {"queue": queue})]
    turns = Turns(shares)
    per_turn = room if len(shares) == 1 else _PER_TURN
    lines: dict[bytes, _Line] = {}
    job_ids: list[bytes] = []
    while len(job_ids) < room and (key_id := turns.next()) is not None:
        if key_id not in lines:
            lines[key_id] = _Line(connection, now_ms, queue, key_id)
        taken = lines[key_id].take(min(per_turn, room - len(job_ids)))
        turns.took(len(taken))
        job_ids += taken
    mark_jobs(connection, now_ms, job_ids)
    if job_ids:
        served.add(turns.served)
    return job_ids


def mark_jobs(connection: Connection, now_ms: int, job_ids: list[bytes]) -> None:
    """Mark jobs as published now."""
    if job_ids:
        connection.execute(
            update(job).where(job.c.id.in_(job_ids)).values(published_at_ms=now_ms, publish_n=job.c.publish_n + 1)
        )


class _Line:
    """The due jobs of one key, read page by page, one priority after the other."""

    def __init__(self, connection: Connection, now_ms: int, queue: str, key_id: bytes) -> None:
        self._connection = connection
        self._values = {"queue": queue, "key": key_id, "now": now_ms}
        self._priorities = deque(each for (each,) in fetch(connection, _PRIORITIES, {"queue": queue, "key": key_id}))
        self._after = _FIRST
        self._ready: deque[bytes] = deque()

    def take(self, most: int) -> list[bytes]:
        """Take the next jobs; fewer than asked for when no more are due."""
        while len(self._ready) < most and self._priorities:
            self._read()
        return [self._ready.popleft() for _ in range(min(most, len(self._ready)))]

    def _read(self) -> None:
        """Read one page; after a priority's last one the next priority begins."""
        after_ms, after_id = self._after
        values = self._values | {"priority": self._priorities[0], "after_ms": after_ms, "after_id": after_id}
        rows = fetch(self._connection, _DUE, values)
        self._ready.extend(row[1] for row in rows)
        if len(rows) == _PER_PAGE:
            self._after = (rows[-1][0], rows[-1][1])
        else:
            self._priorities.popleft()
            self._after = _FIRST
