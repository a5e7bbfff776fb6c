"""The choice of slices: of one key, which goes next, and to which deployment.

Nothing here walks a backlog: batches and routes are found one by one in indexes, and only the slices that are taken
are read.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, bindparam, literal_column, select, tuple_

from router.rooms import Place, Rooms
from router.routing import FailoverPolicy
from store.allowance import Allowance, BatchAllowance, Held, Portion
from store.budgets import read_tags
from store.compiled import fetch
from store.loose import distinct_values
from store.tables import batch, slices
from store.tables.columns import ID
from store.waiting import open_batch, unpublished_slice

_MOST_ROUTES = 64
"""Of one batch at a time; the others follow when these are handed out."""
_BATCHES = 32
_SLICES = 16
_NO_MODEL = ""
"""Stands in the list of models without room, which must not be empty."""

_OF_BATCH = unpublished_slice() & (slices.c.key_id == bindparam("key")) & (slices.c.batch_id == bindparam("batch"))
_found = distinct_values(slices.c.route, _OF_BATCH, most=_MOST_ROUTES)
_ROUTES = select(_found.c.value).where(_found.c.value.is_not(None))
_WAITS = (
    select(slices.c.id)
    .where(unpublished_slice(), slices.c.key_id == batch.c.key_id, slices.c.batch_id == batch.c.id)
    .exists()
)
RUNS = (
    open_batch(),
    batch.c.model.is_(None) | batch.c.model.not_in(bindparam("full", expanding=True)),
    _WAITS,
)
"""The batches that may be handed out, those aside whose one model has no room."""
_TURNS = (
    select(batch.c.handed_out_at_ms, batch.c.id, batch.c.model, batch.c.tags_json)
    .where(
        batch.c.key_id == bindparam("key"),
        *RUNS,
        tuple_(batch.c.handed_out_at_ms, batch.c.id)
        > tuple_(bindparam("after_ms", type_=BigInteger), bindparam("after_id", type_=ID)),
    )
    .order_by(batch.c.handed_out_at_ms, batch.c.id)
    .limit(literal_column(str(_BATCHES)))
)
_NEXT = (
    select(slices.c.id, slices.c.jobs, slices.c.failover, slices.c.estimate_nanousd, slices.c.reserved_nanousd)
    .where(_OF_BATCH, slices.c.route == bindparam("route"), slices.c.id > bindparam("after", type_=ID))
    .order_by(slices.c.id)
    .limit(literal_column(str(_SLICES)))
    .with_for_update(skip_locked=True)  # the slices, not the batch: its row is every finish group's
)


@dataclass(frozen=True, slots=True)
class _Waiting:
    id: bytes
    jobs: int
    failover: str | None
    estimate_nanousd: int | None
    reserved_nanousd: int

    @property
    def policy(self) -> FailoverPolicy | None:
        """How far its lines may go; None leaves it to the route."""
        return None if self.failover is None else FailoverPolicy(self.failover)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A slice of which something is handed out, and where it goes."""

    slice_id: bytes
    batch_id: bytes
    place: Place
    portion: Portion

    @property
    def jobs(self) -> int:
        return self.portion.jobs


@dataclass(frozen=True, slots=True)
class Means:
    """What a hand-out chooses by; it only gets less."""

    connection: Connection
    rooms: Rooms
    allowance: Allowance | None
    """None where nobody has a budget."""


def full(rooms: Rooms) -> list[str]:
    """List the models without room, for a query's parameter `full`."""
    return [_NO_MODEL, *sorted(rooms.full)]


class KeyLine:
    """The batches of one key, one slice of each in turn, the longest unserved first.

    What has no room now gets none in this hand-out any more, so it is dropped.
    """

    def __init__(self, means: Means, key_id: bytes) -> None:
        self._means = means
        self._key_id = key_id
        self._after: tuple[int, bytes] | None = (-1, b"")
        self._batches: deque[_BatchLine] = deque()

    def take(self) -> Chosen | None:
        """Take a slice; None when none of this key's fits."""
        while self._batches or self._read():
            line = self._batches.popleft()
            found = line.take()
            if isinstance(found, Chosen):
                self._batches.append(line)
                return found
            if found is Held.KEY:
                self._batches.clear()
                self._after = None
        return None

    def _read(self) -> bool:
        """Read the next batches that have something waiting; returns whether there are any."""
        if self._after is None:
            return False
        after_ms, after_id = self._after
        values = {"key": self._key_id, "full": full(self._means.rooms), "after_ms": after_ms, "after_id": after_id}
        rows = fetch(self._means.connection, _TURNS, values)
        self._after = (rows[-1][0], rows[-1][1]) if len(rows) == _BATCHES else None
        self._batches.extend(_BatchLine(self._means, self._key_id, *row[1:]) for row in rows)
        return bool(rows)


class _BatchLine:
    """The waiting slices of one batch: the earliest line of those routes that have room."""

    def __init__(self, means: Means, key_id: bytes, batch_id: bytes, model: str | None, tags_json: str | None) -> None:
        self._means = means
        self._key_id = key_id
        self._batch_id = batch_id
        self._model = model
        """The one route of all lines; None when there are several."""
        self._lanes: list[_Lane] | None = None
        self._allowance: BatchAllowance | None = None
        if means.allowance is not None:
            self._allowance = means.allowance.of_batch(key_id, batch_id, read_tags(tags_json))

    def take(self) -> Chosen | Held:
        """Take the next slice; when none fits, how much of the key's work that holds for."""
        rooms = self._means.rooms
        if self._lanes is None:
            connection = self._means.connection
            self._lanes = [_Lane(connection, self._key_id, self._batch_id, each) for each in self._routes()]
        self._lanes = [lane for lane in self._lanes if rooms.has_any(lane.route) and lane.waiting()]
        for lane in sorted(self._lanes, key=lambda lane: lane.waiting()[0].id):
            first = lane.waiting()[0]
            if (place := rooms.place(lane.route, first.policy)) is not None:
                return self._take(lane, first, place)
        return Held.BATCH

    def _take(self, lane: "_Lane", first: _Waiting, place: Place) -> Chosen | Held:
        """Take of a slice that has a place what its payers have room for."""
        portion = self._portion(first)
        if isinstance(portion, Held):
            return portion
        lane.waiting().popleft()
        if portion.lines:
            self._lanes = []  # the rest did not fit
        self._means.rooms.take(place.queue, portion.jobs, place.scope)
        return Chosen(first.id, self._batch_id, place, portion)

    def _portion(self, first: _Waiting) -> Portion | Held:
        if self._allowance is None:
            return Portion(first.jobs)
        return self._allowance.take(first.id, first.jobs, first.estimate_nanousd, first.reserved_nanousd)

    def _routes(self) -> Sequence[str]:
        if self._model is not None:
            return [self._model]
        rows = fetch(self._means.connection, _ROUTES, {"key": self._key_id, "batch": self._batch_id})
        return [row[0] for row in rows]


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
