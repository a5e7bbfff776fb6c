"""The hand-out of slices: fairly over the keys, then over the batches of a key, and to whatever deployment has room.

Nothing here walks a backlog: keys, batches and routes are found one by one in indexes, and only the slices that are
taken are read.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, bindparam, literal_column, select, tuple_, update

from router.lifecycle import BatchStatus
from router.rooms import Place, Rooms
from router.routing import FailoverPolicy
from router.turns import Share, Turns
from store.bulk import execute_many
from store.compiled import fetch
from store.loose import distinct_values
from store.shares import remember, shares_of
from store.tables import batch, slices
from store.tables.columns import ID
from store.waiting import unpublished_slice

_MOST_KEYS = 10_000
_MOST_ROUTES = 64
"""Of one batch at a time; the others follow when these are handed out."""
_BATCHES = 32
_SLICES = 16
_NO_MODEL = ""
"""Stands in the list of models without room, which must not be empty."""

_OF_KEY = unpublished_slice() & (slices.c.key_id == bindparam("key"))
_OF_BATCH = _OF_KEY & (slices.c.batch_id == bindparam("batch"))
_found = distinct_values(slices.c.route, _OF_BATCH, most=_MOST_ROUTES)
_ROUTES = select(_found.c.value).where(_found.c.value.is_not(None))
_WAITS = (
    select(slices.c.id)
    .where(unpublished_slice(), slices.c.key_id == batch.c.key_id, slices.c.batch_id == batch.c.id)
    .exists()
)
_RUNS = (
    batch.c.status == literal_column(f"'{BatchStatus.IN_PROGRESS}'"),
    batch.c.closing.is_(None),
    batch.c.model.is_(None) | batch.c.model.not_in(bindparam("full", expanding=True)),
    _WAITS,
)
"""The batches that may be handed out, those aside whose one model has no room."""
_keys = distinct_values(slices.c.key_id, unpublished_slice(), most=_MOST_KEYS)
_KEYS = shares_of(_keys)
_SERVABLE = select(_keys.c.value).where(select(batch.c.id).where(batch.c.key_id == _keys.c.value, *_RUNS).exists())
_TURNS = (
    select(batch.c.handed_out_at_ms, batch.c.id, batch.c.model)
    .where(
        batch.c.key_id == bindparam("key"),
        *_RUNS,
        tuple_(batch.c.handed_out_at_ms, batch.c.id)
        > tuple_(bindparam("after_ms", type_=BigInteger), bindparam("after_id", type_=ID)),
    )
    .order_by(batch.c.handed_out_at_ms, batch.c.id)
    .limit(literal_column(str(_BATCHES)))
)
_NEXT = (
    select(slices.c.id, slices.c.jobs, slices.c.failover)
    .where(_OF_BATCH, slices.c.route == bindparam("route"), slices.c.id > bindparam("after", type_=ID))
    .order_by(slices.c.id)
    .limit(literal_column(str(_SLICES)))
    .with_for_update(skip_locked=True)  # the slices, not the batch: its row is every finish group's
)
_PUBLISH = (
    update(slices)
    .where(slices.c.id == bindparam("b_id"))
    .values(
        published_at_ms=bindparam("b_now", type_=BigInteger),
        publish_n=slices.c.publish_n + literal_column("1"),
        queue=bindparam("b_queue"),
        route_index=bindparam("b_index"),
    )
)
_SERVED = (
    update(batch).where(batch.c.id == bindparam("b_id")).values(handed_out_at_ms=bindparam("b_now", type_=BigInteger))
)


@dataclass(frozen=True, slots=True)
class _Waiting:
    id: bytes
    jobs: int
    failover: str | None

    @property
    def policy(self) -> FailoverPolicy | None:
        """How far its lines may go; None leaves it to the route."""
        return None if self.failover is None else FailoverPolicy(self.failover)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A slice that is handed out, and where it goes."""

    slice_id: bytes
    batch_id: bytes
    jobs: int
    place: Place


def publish_slices(connection: Connection, now_ms: int, rooms: Rooms) -> list[Chosen]:
    """Mark the slices that there is room for as published, each at the deployment that was chosen for it."""
    shares = [Share(*row) for row in fetch(connection, _KEYS, {})]
    turns = Turns(shares)
    lines = {share.key_id: _KeyLine(connection, share.key_id, rooms) for share in shares}
    chosen: list[Chosen] = []
    full = 0
    while (key_id := turns.next()) is not None:
        if len(rooms.full) > full and len(lines) > 1:
            full = len(rooms.full)
            lines = {each: lines[each] for each in _servable(connection, rooms) if each in lines}
        found = lines[key_id].take() if key_id in lines else None
        turns.took(found.jobs if found else 0)
        chosen += [found] if found else []
    if chosen:
        _mark(connection, now_ms, chosen)
        remember(connection, turns.served)
        batches = sorted({each.batch_id for each in chosen})
        execute_many(connection, _SERVED, [{"b_id": each, "b_now": now_ms} for each in batches])
    return chosen


def _servable(connection: Connection, rooms: Rooms) -> list[bytes]:
    """List the keys that have more than lines of models without room: asked at once, not key by key."""
    return [key_id for (key_id,) in fetch(connection, _SERVABLE, {"full": _full(rooms)})]


def _full(rooms: Rooms) -> list[str]:
    return [_NO_MODEL, *sorted(rooms.full)]


def _mark(connection: Connection, now_ms: int, chosen: Sequence[Chosen]) -> None:
    execute_many(
        connection,
        _PUBLISH,
        [
            {
                "b_id": each.slice_id,
                "b_now": now_ms,
                "b_queue": each.place.queue,
                "b_index": each.place.route_index,
            }
            for each in chosen
        ],
    )


class _KeyLine:
    """The batches of one key, one slice of each in turn, the longest unserved first.

    What has no room now gets none in this hand-out any more, so it is dropped: rooms only get smaller.
    """

    def __init__(self, connection: Connection, key_id: bytes, rooms: Rooms) -> None:
        self._connection = connection
        self._key_id = key_id
        self._rooms = rooms
        self._after: tuple[int, bytes] | None = (-1, b"")
        self._batches: deque[_BatchLine] = deque()

    def take(self) -> Chosen | None:
        """Take a slice; None when none of this key's fits."""
        while self._batches or self._read():
            line = self._batches.popleft()
            if found := line.take():
                self._batches.append(line)
                return found
        return None

    def _read(self) -> bool:
        """Read the next batches that have something waiting; returns whether there are any."""
        if self._after is None:
            return False
        after_ms, after_id = self._after
        values = {"key": self._key_id, "full": _full(self._rooms), "after_ms": after_ms, "after_id": after_id}
        rows = fetch(self._connection, _TURNS, values)
        self._after = (rows[-1][0], rows[-1][1]) if len(rows) == _BATCHES else None
        self._batches.extend(_BatchLine(self._connection, self._key_id, row[1], row[2], self._rooms) for row in rows)
        return bool(rows)


class _BatchLine:
    """The waiting slices of one batch: the earliest line of those routes that have room."""

    def __init__(self, connection: Connection, key_id: bytes, batch_id: bytes, model: str | None, rooms: Rooms) -> None:
        self.model = model
        """The one route of all lines; None when there are several."""
        self._connection = connection
        self._key_id = key_id
        self._batch_id = batch_id
        self._rooms = rooms
        self._lanes: list[_Lane] | None = None

    def take(self) -> Chosen | None:
        """Take the next slice; None when none fits."""
        if self._lanes is None:
            self._lanes = [_Lane(self._connection, self._key_id, self._batch_id, each) for each in self._routes()]
        self._lanes = [lane for lane in self._lanes if self._rooms.has_any(lane.route) and lane.waiting()]
        for lane in sorted(self._lanes, key=lambda lane: lane.waiting()[0].id):
            first = lane.waiting()[0]
            if (place := self._rooms.place(lane.route, first.policy)) is not None:
                lane.waiting().popleft()
                self._rooms.take(place.queue, first.jobs, place.scope)
                return Chosen(first.id, self._batch_id, first.jobs, place)
        return None

    def _routes(self) -> Sequence[str]:
        if self.model is not None:
            return [self.model]
        return [row[0] for row in fetch(self._connection, _ROUTES, {"key": self._key_id, "batch": self._batch_id})]


class _Lane:
    """The waiting slices of one batch and one route, read page by page."""

    def __init__(self, connection: Connection, key_id: bytes, batch_id: bytes, route: str) -> None:
        self.route = route
        self._connection = connection
        self._values = {"key": key_id, "batch": batch_id, "route": route}
        self._after: bytes | None = b""
        self._ready: deque[_Waiting] = deque()

    def waiting(self) -> "deque[_Waiting]":
        """The next slices, the earliest first; empty when there are no more."""
        if not self._ready and self._after is not None:
            rows = fetch(self._connection, _NEXT, self._values | {"after": self._after})
            self._after = rows[-1][0] if len(rows) == _SLICES else None
            self._ready.extend(_Waiting(*row) for row in rows)
        return self._ready
