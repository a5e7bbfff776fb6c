"""Deliveries on their way: workers claim those that are due under a lease, and report what each try came to.

`try_n` is the fence: a claim bumps it, and a report of an older try changes nothing, except that a receiver which has
the event has it, whoever sent it. A worker that dies while sending leaves a lease that runs out: the event is sent
again, under the same id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, exists, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from router.delivery import DELIVERY_OPEN, Delivered, DeliveryState, GaveUp, Gone, RetryLater, Sent, Verdict
from router.delivery_room import DeliveryRoom, Place
from store.bulk import execute_many
from store.tables import AnyRow, delivery, delivery_try, event, webhook_endpoint

_PAGE = 128
_ROUNDS = 4
_OPEN = delivery.c.state.in_([literal_column(f"'{state}'") for state in DELIVERY_OPEN])


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that this process sends now."""

    id: bytes
    n: int
    """The number of the try, from 1."""
    failures: int
    """Tries that failed before."""
    claimed_at_ms: int
    place: Place
    endpoint_id: bytes
    event_id: bytes
    event_type: str
    event_at_ms: int
    object_id: bytes
    url: str = field(repr=False)
    sealed_secret: str | None = field(repr=False)
    """None: the key's own secret signs."""
    old_sealed_secret: str | None = field(default=None, repr=False)
    """The one before, while it signs, too."""
    subject: str | None = None
    """What the event is about, where `object_id` is not its id."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one look at the deliveries brought."""

    deliveries: list[ClaimedDelivery]
    left: bool
    """Whether more may be due that there was no room for."""


@dataclass(frozen=True, slots=True)
class EndedTry:
    """The report of one try."""

    delivery: ClaimedDelivery
    sent: Sent
    duration_ms: int
    verdict: Verdict


def due_delivery(now_ms: ColumnElement[int] | int) -> ColumnElement[bool]:
    """One whose next try has come, or whose worker is taken for dead; its index is `delivery_due`."""
    return _OPEN & (delivery.c.next_at_ms <= now_ms)


def any_due(connection: Connection, now_ms: int) -> bool:
    """Tell whether any delivery is due, without a lock."""
    query = select(exists().where(due_delivery(now_ms)))
    return bool(connection.execute(query).scalar())


def claim_due(connection: Connection, now_ms: int, room: DeliveryRoom, lease_ms: int) -> Claim:
    """Take the deliveries that are due, longest waiting first, as far as `room` (a copy of the process's) allows."""
    tries: dict[bytes, AnyRow] = {}
    left = False
    for _ in range(_ROUNDS):
        rows = _due(connection, now_ms, room)
        taken = [row.id for row in rows if room.enter(Place(row.receiver, row.origin, row.key_id))]
        tries |= _begin(connection, taken, now_ms + lease_ms)
        left = len(rows) == _PAGE or len(taken) < len(rows) or room.turns_away
        if room.is_full or len(rows) < _PAGE:
            break
    return Claim(_read(connection, now_ms, tries), left)


def _due(connection: Connection, now_ms: int, room: DeliveryRoom) -> Sequence[AnyRow]:
    return connection.execute(
        select(delivery.c.id, delivery.c.receiver, delivery.c.origin, delivery.c.key_id)
        .where(
            due_delivery(now_ms),
            delivery.c.receiver.not_in(room.full_receivers()),
            delivery.c.origin.not_in(room.full_origins()),
            delivery.c.key_id.not_in(room.full_keys()),
        )
        .order_by(delivery.c.next_at_ms)
        .limit(_PAGE)
        .with_for_update(skip_locked=True)
    ).all()


def _begin(connection: Connection, ids: list[bytes], lease_until_ms: int) -> dict[bytes, AnyRow]:
    if not ids:
        return {}
    rows = connection.execute(
        update(delivery)
        .where(delivery.c.id.in_(ids))
        .values(state=DeliveryState.SENDING, try_n=delivery.c.try_n + 1, next_at_ms=lease_until_ms)
        .returning(delivery.c.id, delivery.c.try_n, delivery.c.failures)
    )
    return {row.id: row for row in rows}


def _read(connection: Connection, now_ms: int, tries: dict[bytes, AnyRow]) -> list[ClaimedDelivery]:
    if not tries:
        return []
    rows = connection.execute(
        select(
            delivery.c.id, delivery.c.receiver, delivery.c.origin, delivery.c.key_id, delivery.c.endpoint_id,
            delivery.c.event_id, event.c.type, event.c.created_at_ms, event.c.object_id, event.c.subject,
            webhook_endpoint.c.url, webhook_endpoint.c.secret,
            case((webhook_endpoint.c.old_secret_until_ms > now_ms, webhook_endpoint.c.old_secret)).label("old_secret"),
        )
        .join(event, event.c.id == delivery.c.event_id)
        .join(webhook_endpoint, webhook_endpoint.c.id == delivery.c.endpoint_id)
        .where(delivery.c.id.in_(list(tries)))
    )  # fmt: skip
    return [
        ClaimedDelivery(
            id=row.id,
            n=tries[row.id].try_n,
            failures=tries[row.id].failures,
            claimed_at_ms=now_ms,
            place=Place(row.receiver, row.origin, row.key_id),
            endpoint_id=row.endpoint_id,
            event_id=row.event_id,
            event_type=row.type,
            event_at_ms=row.created_at_ms,
            object_id=row.object_id,
            url=row.url,
            sealed_secret=row.secret,
            old_sealed_secret=row.old_secret,
            subject=row.subject,
        )
        for row in rows
    ]


_THIS = delivery.c.id == bindparam("b_id")
_OURS = (_THIS, delivery.c.try_n == bindparam("b_n"), delivery.c.state == DeliveryState.SENDING)
_LAST: dict[str, Any] = {"last_status": bindparam("b_status"), "last_error": bindparam("b_error")}
_DELIVERED = update(delivery).where(_THIS).values(state=DeliveryState.DELIVERED, **_LAST)
_FAILED = update(delivery).where(*_OURS).values(state=DeliveryState.FAILED, failures=delivery.c.failures + 1, **_LAST)
_LATER = (
    update(delivery)
    .where(*_OURS)
    .values(state=DeliveryState.WAITING, failures=delivery.c.failures + 1, next_at_ms=bindparam("b_next"), **_LAST)
)
_LOG = {
    "postgresql": postgresql.insert(delivery_try).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(delivery_try).on_conflict_do_nothing(),
}


def settle_tries(connection: Connection, now_ms: int, ended: Sequence[EndedTry]) -> None:
    """Write what these tries came to, and their lines of the log. Safe to run twice."""
    in_order = sorted(ended, key=lambda each: each.delivery.id)
    for each in in_order:
        row = {
            "b_id": each.delivery.id, "b_n": each.delivery.n, "b_status": each.sent.status, "b_error": each.sent.error,
        }  # fmt: skip
        match each.verdict:
            case Delivered():
                connection.execute(_DELIVERED, row)
            case RetryLater(delay_ms):
                connection.execute(_LATER, row | {"b_next": now_ms + delay_ms})
            case GaveUp():
                connection.execute(_FAILED, row)
            case Gone():
                connection.execute(_FAILED, row)
                _disable(connection, now_ms, each.delivery.endpoint_id)
    execute_many(connection, _LOG[connection.dialect.name], [_log_line(each) for each in in_order])


def _disable(connection: Connection, now_ms: int, endpoint_id: bytes) -> None:
    """Send nothing to this endpoint any more."""
    connection.execute(
        update(webhook_endpoint)
        .where(webhook_endpoint.c.id == endpoint_id, webhook_endpoint.c.disabled_at_ms.is_(None))
        .values(disabled_at_ms=now_ms)
    )
    drop_waiting(connection, endpoint_id)


def drop_waiting(connection: Connection, endpoint_id: bytes) -> None:
    """Give up what waits to be sent to an endpoint. What is being sent just now may still arrive."""
    connection.execute(
        update(delivery)
        .where(delivery.c.endpoint_id == endpoint_id, delivery.c.state == DeliveryState.WAITING)
        .values(state=DeliveryState.FAILED)
    )


def _log_line(each: EndedTry) -> dict[str, Any]:
    return {
        "delivery_id": each.delivery.id,
        "n": each.delivery.n,
        "key_id": each.delivery.place.key_id,
        "started_at_ms": each.delivery.claimed_at_ms,
        "duration_ms": each.duration_ms,
        "status": each.sent.status,
        "error": each.sent.error,
    }
