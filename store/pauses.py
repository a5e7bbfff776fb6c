"""Pauses: no line of a paused batch is handed out. What was handed out before runs to its end, retries included.

A batch is paused because its owner asked, until its owner resumes it; or because a budget that it counts against has
no room for its next line, until there is room again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Update, select, update

from router.budget import BudgetState, PauseReason, Payer, PayerKind
from router.lifecycle import BatchStatus
from store.allowance import Shortage, is_short
from store.batches import BatchRow, Refused, get_batch
from store.budget_events import TurnedAway, tell_exhausted
from store.budgets import Purse, purses, read_states, read_tags
from store.events import batch_paused, record
from store.page import Owners
from store.tables import AnyRow, batch
from store.waiting import open_batch

_FOR_MONEY = (PauseReason.COST_CAP, PauseReason.BUDGET)
_GOES_ON = {"paused_for": None, "paused_at_ms": None, "paused_by": None, "needs_nanousd": None}
_MAY_PAUSE = batch.c.status.in_((BatchStatus.VALIDATING, BatchStatus.IN_PROGRESS)) & batch.c.closing.is_(None)
_STEP = 1_000

waits_for_money = (
    (batch.c.status == BatchStatus.IN_PROGRESS) & batch.c.closing.is_(None) & batch.c.paused_for.in_(_FOR_MONEY)
)
"""The batches that go on by themselves when their budgets have room again."""


@dataclass(frozen=True, slots=True)
class _Waits:
    """A batch that is paused for money, and who pays for it."""

    id: bytes
    paying: tuple[Payer, ...]
    purse: Purse
    needs_nanousd: int | None

    def is_short(self, states: Sequence[BudgetState], now_ms: int) -> bool:
        """Whether its next line still lacks room; `states` are of more payers than its own."""
        own = [state for state in states if state.payer in self.paying]
        if self.needs_nanousd is None and self.purse.allow_unpriced:
            return False
        return is_short(self.needs_nanousd, own, now_ms)


def pause_short(
    connection: Connection, now_ms: int, shortages: Sequence[Shortage], also_locked: Collection[bytes]
) -> None:
    """Pause the batches of these shortages, in the transaction that found them; their owners are told.

    `also_locked` are other batches that the transaction is to write after: all are locked in the order of their ids.
    """
    batch_ids = sorted({*also_locked, *(each.batch_id for each in shortages)})
    connection.execute(select(batch.c.id).where(batch.c.id.in_(batch_ids)).order_by(batch.c.id).with_for_update())
    paused: list[AnyRow] = []
    short: list[TurnedAway] = []
    for each in shortages:
        reason = PauseReason.COST_CAP if each.payer.kind is PayerKind.BATCH else PauseReason.BUDGET
        this = update(batch).where(batch.c.id == each.batch_id, open_batch())
        now_paused = _pause(
            connection, now_ms, this.values(paused_by=str(each.payer), needs_nanousd=each.needs_nanousd), reason
        )
        paused += now_paused
        if now_paused and reason is PauseReason.BUDGET and each.needs_nanousd is not None:
            states = read_states(connection, [each.payer])
            short += [TurnedAway(now_paused[0].key_id, state) for state in states if each.holds([state], now_ms)]
    tell_exhausted(connection, now_ms, short)
    record(connection, now_ms, [batch_paused(row.key_id, row.id, row.pauses) for row in paused])


def may_go_on(connection: Connection, now_ms: int, batch_id: bytes | None = None) -> list[bytes]:
    """List the batches, or only that one, whose budgets have room again: raised, renewed or cleared."""
    query = (
        select(batch.c.id, batch.c.key_id, batch.c.tags_json, batch.c.needs_nanousd)
        .where(waits_for_money)
        .order_by(batch.c.id)
    )
    rows = connection.execute(query if batch_id is None else query.where(batch.c.id == batch_id)).all()
    found = []
    for start in range(0, len(rows), _STEP):
        found += _with_room(connection, now_ms, rows[start : start + _STEP])
    return found


def go_on(connection: Connection, _now_ms: int, batch_ids: Sequence[bytes]) -> None:
    """Resume those of these batches that are paused for money."""
    these = select(batch.c.id).where(batch.c.id.in_(batch_ids)).order_by(batch.c.id).with_for_update()
    connection.execute(update(batch).where(batch.c.id.in_(these), batch.c.paused_for.in_(_FOR_MONEY)).values(_GOES_ON))


def request_pause(connection: Connection, now_ms: int, owners: Owners, batch_id: bytes) -> BatchRow | Refused | None:
    """Pause a batch of these keys until one of them resumes it. None when it is missing or another key's.

    Repeating it is fine. A batch that is ending or has ended is refused.
    """
    before = _lock(connection, owners, batch_id)
    if before is not None and before.paused_for is None:
        this = update(batch).where(batch.c.id == batch_id)
        paused = _pause(connection, now_ms, this, PauseReason.ASKED)
        record(connection, now_ms, [batch_paused(row.key_id, row.id, row.pauses) for row in paused])
    elif before is not None:
        asked = _GOES_ON | {"paused_for": PauseReason.ASKED, "paused_at_ms": before.paused_at_ms}
        connection.execute(update(batch).where(batch.c.id == batch_id).values(asked))
    return _answer(connection, now_ms, owners, batch_id, was_open=before is not None)


def request_resume(connection: Connection, now_ms: int, owners: Owners, batch_id: bytes) -> BatchRow | Refused | None:
    """Let a batch of these keys go on. None when it is missing or another key's.

    One whose budgets lack room for its next line stays paused. A batch that is ending or has ended is refused.
    """
    before = _lock(connection, owners, batch_id)
    if before is not None and (before.paused_for not in _FOR_MONEY or _with_room(connection, now_ms, [before])):
        connection.execute(update(batch).where(batch.c.id == batch_id).values(_GOES_ON))
    return _answer(connection, now_ms, owners, batch_id, was_open=before is not None)


def _pause(connection: Connection, now_ms: int, these: Update, reason: PauseReason) -> Sequence[AnyRow]:
    paused = these.values(paused_for=reason, paused_at_ms=now_ms, pauses=batch.c.pauses + 1)
    return connection.execute(paused.returning(batch.c.id, batch.c.key_id, batch.c.pauses)).all()


def _lock(connection: Connection, owners: Owners, batch_id: bytes) -> AnyRow | None:
    """Lock a batch that may be paused or is; None when there is none."""
    mine = (batch.c.id == batch_id) & batch.c.key_id.in_(owners)
    return connection.execute(select(batch).where(mine, _MAY_PAUSE).with_for_update()).first()


def _answer(
    connection: Connection, now_ms: int, owners: Owners, batch_id: bytes, *, was_open: bool
) -> BatchRow | Refused | None:
    found = get_batch(connection, now_ms, owners, batch_id)
    return found if found is None or was_open else Refused(found.status)


def _with_room(connection: Connection, now_ms: int, rows: Sequence[AnyRow]) -> list[bytes]:
    """Find those of these paused batches whose next line would have room once no call is in flight."""
    known = purses(connection, [row.key_id for row in rows])
    waiting = [_waits(row, known[row.key_id]) for row in rows]
    states = read_states(connection, {payer for each in waiting for payer in each.paying})
    return [each.id for each in waiting if not each.is_short(states, now_ms)]


def _waits(row: AnyRow, purse: Purse) -> _Waits:
    return _Waits(row.id, purse.payers(read_tags(row.tags_json), row.id), purse, row.needs_nanousd)
