"""Events: what happened to a job or a batch, written in the very transaction that made it happen.

With the event come its deliveries, one for each endpoint that waits for it. A process that dies right after the commit
has told nobody, and nothing is lost: any worker finds the deliveries.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from router.delivery import DeliveryState
from router.lifecycle import BatchStatus, JobState
from store.bulk import execute_many
from store.ids import new_id
from store.tables import AnyRow, delivery, event, webhook_endpoint

_INSERT_EVENT = insert(event)
_INSERT_DELIVERY = insert(delivery)


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a job or a batch, or a pause of a batch."""

    key_id: bytes
    object_id: bytes
    type: str
    """`job.` or `batch.` and the final state; `batch.paused`."""
    n: int = 0
    """Which time it is, of what may come again."""


def job_ended(key_id: bytes, job_id: bytes, state: JobState) -> Ended:
    """The event of a job that has ended."""
    return Ended(key_id, job_id, f"job.{state}")


def batch_ended(key_id: bytes, batch_id: bytes, status: BatchStatus) -> Ended:
    """The event of a batch that has ended."""
    return Ended(key_id, batch_id, f"batch.{status}")


def batch_paused(key_id: bytes, batch_id: bytes, n: int) -> Ended:
    """The event of a batch that was paused for the n-th time."""
    return Ended(key_id, batch_id, "batch.paused", n)


def record(connection: Connection, now_ms: int, ended: Sequence[Ended]) -> int:
    """Write events and their deliveries; returns how many deliveries there are to make.

    An object ends once, so its event is written once: writing it again raises IntegrityError.
    """
    if not ended:
        return 0
    endpoints = _endpoints(connection, [each.object_id for each in ended])
    events, deliveries = [], []
    for each in ended:
        event_id = new_id()
        events.append(
            {
                "id": event_id, "key_id": each.key_id, "object_id": each.object_id, "type": each.type,
                "n": each.n, "created_at_ms": now_ms,
            }
        )  # fmt: skip
        deliveries += [_delivery(event_id, endpoint, now_ms) for endpoint in endpoints[each.object_id]]
    execute_many(connection, _INSERT_EVENT, events)
    execute_many(connection, _INSERT_DELIVERY, deliveries)
    return len(deliveries)


def _endpoints(connection: Connection, object_ids: list[bytes]) -> dict[bytes, list[AnyRow]]:
    columns = webhook_endpoint.c
    rows = connection.execute(
        select(columns.id, columns.key_id, columns.object_id, columns.receiver, columns.origin).where(
            columns.object_id.in_(object_ids), columns.disabled_at_ms.is_(None)
        )
    )
    found: dict[bytes, list[AnyRow]] = defaultdict(list)
    for row in rows:
        found[row.object_id].append(row)
    return found


def _delivery(event_id: bytes, endpoint: AnyRow, now_ms: int) -> dict[str, object]:
    return {
        "id": new_id(),
        "event_id": event_id,
        "endpoint_id": endpoint.id,
        "key_id": endpoint.key_id,
        "receiver": endpoint.receiver,
        "origin": endpoint.origin,
        "state": DeliveryState.WAITING,
        "try_n": 0,
        "failures": 0,
        "next_at_ms": now_ms,
        "last_status": None,
        "last_error": None,
    }
