"""A pause as clients see it: why none of a batch's lines is handed out, and what ends that."""

from typing import Any

from api.answers import seconds
from router.budget import PauseReason, Payer, PayerKind
from router.cost import usd
from router.lifecycle import BatchStatus
from store.batches import BatchRow
from store.ids import Prefix, public_id

_PREFIXES = {PayerKind.KEY: Prefix.KEY, PayerKind.TEAM: Prefix.TEAM, PayerKind.BATCH: Prefix.BATCH}


def pause_object(row: BatchRow) -> dict[str, Any] | None:
    """Write the pause of a batch; None while it is not paused, and once it is ending.

    `by` names whose budget is used up, such as `key key_...`; null where its owner asked for the pause.
    """
    if row.paused_for is None or row.status not in (BatchStatus.VALIDATING, BatchStatus.IN_PROGRESS):
        return None
    return {
        "reason": row.paused_for,
        "since": seconds(row.paused_at_ms),
        "by": None if row.paused_by is None else _named(row.paused_by),
        "message": _message(row),
    }


def _message(row: BatchRow) -> str:
    match row.paused_for:
        case PauseReason.COST_CAP:
            cap = f"its cost cap of ${usd(row.max_cost_nanousd or 0)}"
            return f"{_needs(row)}, and {cap} has no room for it. Raise max_cost_usd and it goes on."
        case PauseReason.BUDGET if row.paused_by is not None:
            return (
                f"{_needs(row)}, and the budget of the {_named(row.paused_by)} has no room for it. It goes on by itself"
                " when the budget is raised, renewed or cleared."
            )
    return "Its owner paused it. It goes on when it is resumed."


def _needs(row: BatchRow) -> str:
    if row.needs_nanousd is None:
        return "The price of its next line is not known"
    return f"Its next line may cost up to ${usd(row.needs_nanousd)}"


def _named(payer: Payer) -> str:
    prefix = _PREFIXES.get(payer.kind)
    return f"{payer.kind} {payer.name if prefix is None else public_id(prefix, bytes.fromhex(payer.name))}"
