"""The delivery log: what an owner sees of its webhooks, and the wish to have one sent again."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, select, update

from router.delivery import DeliveryState
from store.page import Owners, Page, Window, behind, parts_of, read_parts
from store.tables import AnyRow, delivery, delivery_try, event, webhook_endpoint


@dataclass(frozen=True, slots=True)
class TryRow:
    """One try that came to an end."""

    n: int
    started_at_ms: int
    duration_ms: int
    status: int | None
    error: str | None
    """Null with a status, else router.delivery.SendError."""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One event on its way to one endpoint."""

    id: bytes
    event_id: bytes
    event_type: str
    event_at_ms: int
    object_id: bytes
    url: str = field(repr=False)
    state: DeliveryState
    next_at_ms: int
    """Of the next try; only of meaning while the state is `waiting`."""
    disabled_at_ms: int | None
    """When the endpoint asked for no more."""
    tries: tuple[TryRow, ...]


class NotSent(StrEnum):
    """Why a delivery is not sent again."""

    UNDER_WAY = "under_way"  # it waits for its next try, or is being sent
    DISABLED = "disabled"  # the endpoint asked for no more


def list_deliveries(
    connection: Connection, now_ms: int, owners: Owners, window: Window, object_id: bytes | None
) -> Page[DeliveryRow] | None:
    """List the deliveries of these keys, all or those of one job or batch; None when the cursor is none of theirs."""
    if window.after is not None and get_delivery(connection, now_ms, owners, window.after) is None:
        return None
    query = behind(_all(), delivery.c.id, window)
    if object_id is not None:
        query = query.where(event.c.object_id == object_id)
    rows = read_parts(connection, query, delivery.c.id, window, parts_of(delivery.c.key_id, owners))
    return Page(_with_tries(connection, rows[: window.limit]), len(rows) > window.limit)


def get_delivery(connection: Connection, _now_ms: int, owners: Owners, delivery_id: bytes) -> DeliveryRow | None:
    """Read a delivery of these keys; None when it is missing or another key's."""
    rows = connection.execute(_all().where(delivery.c.id == delivery_id, delivery.c.key_id.in_(owners))).all()
    return next(iter(_with_tries(connection, rows)), None)


def send_again(connection: Connection, now_ms: int, owners: Owners, delivery_id: bytes) -> DeliveryRow | NotSent | None:
    """Have a delivery sent once more, now and then by the schedule from its beginning; None when there is none."""
    found = get_delivery(connection, now_ms, owners, delivery_id)
    if found is None:
        return None
    if found.disabled_at_ms is not None:
        return NotSent.DISABLED
    moved = connection.execute(
        update(delivery)
        .where(delivery.c.id == delivery_id, delivery.c.state.in_((DeliveryState.DELIVERED, DeliveryState.FAILED)))
        .values(state=DeliveryState.WAITING, failures=0, next_at_ms=now_ms)
    ).rowcount
    return get_delivery(connection, now_ms, owners, delivery_id) if moved else NotSent.UNDER_WAY


def _all() -> Select[*tuple[Any, ...]]:
    return (
        select(
            delivery.c.id, delivery.c.event_id, event.c.type.label("event_type"),
            event.c.created_at_ms.label("event_at_ms"), event.c.object_id, webhook_endpoint.c.url, delivery.c.state,
            delivery.c.next_at_ms, webhook_endpoint.c.disabled_at_ms,
        )
        .join(event, event.c.id == delivery.c.event_id)
        .join(webhook_endpoint, webhook_endpoint.c.id == delivery.c.endpoint_id)
    )  # fmt: skip


def _with_tries(connection: Connection, rows: Sequence[AnyRow]) -> tuple[DeliveryRow, ...]:
    found: dict[bytes, list[TryRow]] = defaultdict(list)
    query = (
        select(
            delivery_try.c.delivery_id, delivery_try.c.n, delivery_try.c.started_at_ms, delivery_try.c.duration_ms,
            delivery_try.c.status, delivery_try.c.error,
        )
        .where(delivery_try.c.delivery_id.in_([row.id for row in rows]))
        .order_by(delivery_try.c.delivery_id, delivery_try.c.n)
    )  # fmt: skip
    for delivery_id, *line in connection.execute(query):
        found[delivery_id].append(TryRow(*line))
    return tuple(
        DeliveryRow(
            id=row.id,
            event_id=row.event_id,
            event_type=row.event_type,
            event_at_ms=row.event_at_ms,
            object_id=row.object_id,
            url=row.url,
            state=DeliveryState(row.state),
            next_at_ms=row.next_at_ms,
            disabled_at_ms=row.disabled_at_ms,
            tries=tuple(found[row.id]),
        )
        for row in rows
    )
