"""The hand-out of slices: fairly over the keys, then over the batches of a key, and to whatever deployment has room.

Where somebody who pays for them has a budget, what they may cost is set aside with it: `store.allowance`.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import BigInteger, Connection, bindparam, literal_column, select, update

from router.rooms import Rooms
from router.turns import Turns
from store.allowance import Allowance
from store.budgets import any_budget
from store.bulk import execute_many
from store.compiled import fetch
from store.loose import distinct_values
from store.pauses import pause_short
from store.shares import Served, shares_of
from store.slice_choice import RUNS, Chosen, KeyLine, Means, full
from store.slice_split import split_slice
from store.tables import batch, slices
from store.waiting import open_batch, unpublished_slice

_MOST_KEYS = 10_000

_keys = distinct_values(slices.c.key_id, unpublished_slice(), most=_MOST_KEYS)
_KEYS = shares_of(_keys).where(select(batch.c.id).where(batch.c.key_id == _keys.c.value, open_batch()).exists())
_SERVABLE = select(_keys.c.value).where(select(batch.c.id).where(batch.c.key_id == _keys.c.value, *RUNS).exists())
_PUBLISH = (
    update(slices)
    .where(slices.c.id == bindparam("b_id"))
    .values(
        published_at_ms=bindparam("b_now", type_=BigInteger),
        publish_n=slices.c.publish_n + literal_column("1"),
        queue=bindparam("b_queue"),
        route_index=bindparam("b_index"),
        moved_for=bindparam("b_moved_for"),
    )
)
_SERVED = (
    update(batch).where(batch.c.id == bindparam("b_id")).values(handed_out_at_ms=bindparam("b_now", type_=BigInteger))
)
_RESERVE = (
    update(slices)
    .where(slices.c.id == bindparam("b_id"))
    .values(reserved_nanousd=bindparam("b_reserved", type_=BigInteger))
)


def publish_slices(connection: Connection, now_ms: int, rooms: Rooms, served: Served) -> list[Chosen]:
    """Mark the slices that there is room for as published, each at the deployment that was chosen for it.

    Pauses the batches whose budgets have no room for another line. Writes `served`, in its place in the order of locks.
    """
    shares = [served.share(row) for row in fetch(connection, _KEYS, {})]
    turns = Turns(shares)
    key_ids = [share.key_id for share in shares]
    allowance = Allowance(connection, now_ms, key_ids) if shares and any_budget(connection) else None
    chosen = _choose(Means(connection, rooms, allowance), turns, key_ids)
    if allowance is not None:
        chosen = _set_aside(connection, now_ms, allowance, chosen)
    if chosen:
        _mark(connection, now_ms, chosen)
        served.add(turns.served)
    served.write(connection)
    batch_ids = {each.batch_id for each in chosen}
    if allowance is not None and allowance.shortages:
        pause_short(connection, now_ms, allowance.shortages, batch_ids)
    execute_many(connection, _SERVED, [{"b_id": each, "b_now": now_ms} for each in sorted(batch_ids)])
    return chosen


def _choose(means: Means, turns: Turns, key_ids: Sequence[bytes]) -> list[Chosen]:
    held = means.allowance.is_held if means.allowance else lambda _: False
    lines = {key_id: KeyLine(means, key_id) for key_id in key_ids if not held(key_id)}
    chosen: list[Chosen] = []
    full_models = 0
    while (key_id := turns.next()) is not None:
        if len(means.rooms.full) > full_models and len(lines) > 1:
            full_models = len(means.rooms.full)
            lines = {each: lines[each] for each in _servable(means) if each in lines}
        found = lines[key_id].take() if key_id in lines else None
        turns.took(found.jobs if found else 0)
        chosen += [found] if found else []
    return chosen


def _servable(means: Means) -> list[bytes]:
    """List the keys that have more than lines of models without room: asked at once, not key by key."""
    return [key_id for (key_id,) in fetch(means.connection, _SERVABLE, {"full": full(means.rooms)})]


def _set_aside(connection: Connection, now_ms: int, allowance: Allowance, chosen: Sequence[Chosen]) -> list[Chosen]:
    """Set aside what was chosen, and split what goes in part; what has no room by now is left out.

    Of the batches that were found short those are left that still are.
    """
    budgets = allowance.locked(each.portion for each in chosen)
    kept = [each for each in chosen if budgets.take(each.portion.paying, each.portion.nanousd) is None]
    budgets.write(connection)
    allowance.shortages = [each for each in allowance.shortages if each.holds(budgets.of(each.paying), now_ms)]
    parts = [
        replace(each, slice_id=split_slice(connection, each.slice_id, each.portion.lines))
        if each.portion.lines
        else each
        for each in kept
    ]
    reserved = [{"b_id": each.slice_id, "b_reserved": each.portion.nanousd} for each in parts if each.portion.nanousd]
    execute_many(connection, _RESERVE, reserved)
    return parts


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
                "b_moved_for": each.place.moved_for,
            }
            for each in chosen
        ],
    )
