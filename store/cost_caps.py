"""Cost caps: what one batch may cost. While the batch is open its cap is a budget like any other's.

The cap itself stays with the batch and is shown as long as the batch is; its budget goes when the batch has ended, so
that where nobody else has one, nothing is counted.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, update

from router.budget import Payer, PayerKind, Period
from router.lifecycle import BATCH_ACTIVE
from store.batches import BatchRow, Refused, cap_payer, get_batch
from store.budget_edits import clear_budget, set_budget
from store.page import Owners
from store.pauses import go_on, may_go_on
from store.tables import batch, budget

_CAPS = f"{PayerKind.BATCH}:%"
_STEP = 1_000


def set_cap(
    connection: Connection, now_ms: int, owners: Owners, batch_id: bytes, max_cost_nanousd: int | None
) -> BatchRow | Refused | None:
    """Change what a batch of these keys may cost, None for no limit; it goes on if it was paused for that alone.

    None when it is missing or another key's. A batch that has ended is refused.
    """
    found = get_batch(connection, now_ms, owners, batch_id)
    if found is None:
        return None
    if found.status not in BATCH_ACTIVE:
        return Refused(found.status)
    if max_cost_nanousd is None:
        clear_budget(connection, now_ms, cap_payer(batch_id), Period.TOTAL)
    else:
        _set(connection, now_ms, batch_id, max_cost_nanousd)
    connection.execute(update(batch).where(batch.c.id == batch_id).values(max_cost_nanousd=max_cost_nanousd))
    if batch_id in may_go_on(connection, now_ms, batch_id):
        go_on(connection, now_ms, [batch_id])
    return get_batch(connection, now_ms, owners, batch_id)


def forget_caps(connection: Connection, _now_ms: int) -> None:
    """Remove the budgets of batches that have ended."""
    caps = connection.execute(select(budget.c.payer).where(budget.c.payer.like(_CAPS)).order_by(budget.c.payer))
    payers = list(caps.scalars())
    for start in range(0, len(payers), _STEP):
        over = _of_ended(connection, payers[start : start + _STEP])
        these = budget.c.payer.in_(over)
        if over:  # locked in the order in which everybody locks them
            connection.execute(
                select(budget.c.payer).where(these).order_by(budget.c.payer, budget.c.period).with_for_update()
            )
            connection.execute(delete(budget).where(these))


def _of_ended(connection: Connection, payers: Sequence[str]) -> list[str]:
    by_id = {bytes.fromhex(Payer.parse(text).name): text for text in payers}
    is_open = batch.c.status.in_(sorted(BATCH_ACTIVE))
    still = set(connection.execute(select(batch.c.id).where(batch.c.id.in_(list(by_id)), is_open)).scalars())
    return [text for batch_id, text in by_id.items() if batch_id not in still]


def _set(connection: Connection, now_ms: int, batch_id: bytes, max_cost_nanousd: int) -> None:
    payer = cap_payer(batch_id)
    here = (budget.c.payer == str(payer), budget.c.period == Period.TOTAL)
    is_new = connection.execute(select(budget.c.payer).where(*here)).first() is None
    set_budget(connection, now_ms, payer, Period.TOTAL, max_cost_nanousd)
    if is_new:  # what it has cost so far counts
        cost = select(batch.c.cost_nanousd).where(batch.c.id == batch_id).scalar_subquery()
        connection.execute(update(budget).where(*here).values(spent_nanousd=cost))
