"""Admission: which new jobs their payers have room for. What a job may cost is set aside before it is made."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from sqlalchemy import Connection

from router.budget import BudgetState, Payer
from router.outcome import LedgerKind
from store.budgets import Budgets, Purse, purses, write_tags
from store.new_job import NewJob
from store.payer_names import names_of
from store.reserved import HeldJob, write_lines


@dataclass(frozen=True, slots=True)
class OverBudget:
    """A payer's budget has no room for the job, so it was not made."""

    budget: BudgetState
    wanted_nanousd: int
    """What would have been set aside."""
    left_nanousd: int
    payer_name: str
    """What people call the payer; empty where it has no name."""
    now_ms: int


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Somebody who pays has a budget, and nobody knows what the job may cost, so it was not made."""

    payer: Payer


Refused = OverBudget | Unpriced


@dataclass(frozen=True, slots=True)
class Admission:
    """What became of new jobs, by their ids."""

    held: dict[bytes, HeldJob] = field(default_factory=dict)
    """Those that may be made, with what is set aside for them."""
    refused: dict[bytes, Refused] = field(default_factory=dict)


def admit(connection: Connection, now_ms: int, jobs: Sequence[NewJob]) -> Admission:
    """Set aside for these jobs, one after the other, or refuse them.

    The budgets of all who pay stay locked until the transaction ends.
    """
    known = purses(connection, [new.key_id for new in jobs])
    if not any(purse.any_budget for purse in known.values()):
        return Admission({new.id: _held(new, known, 0) for new in jobs})
    admission = Admission()
    paying = {new.id: known[new.key_id].payers(new.tags) for new in jobs}
    budgets = Budgets(connection, now_ms, chain.from_iterable(paying.values()))
    for new in jobs:
        taken = _take(connection, now_ms, budgets, paying[new.id], new, known[new.key_id])
        if isinstance(taken, int):
            admission.held[new.id] = _held(new, known, taken)
        else:
            admission.refused[new.id] = taken
    budgets.write(connection)
    write_lines(connection, now_ms, LedgerKind.RESERVE, admission.held.values())
    return admission


def _take(
    connection: Connection, now_ms: int, budgets: Budgets, paying: Sequence[Payer], new: NewJob, purse: Purse
) -> int | Refused:
    holding = budgets.of(paying)
    if not holding:
        return 0
    if new.estimate_nanousd is None and not purse.allow_unpriced:
        return Unpriced(holding[0].payer)
    wanted = new.estimate_nanousd or 0
    lacking = budgets.take(paying, wanted)
    if lacking is None:
        return wanted
    name = names_of(connection, [lacking.payer]).get(lacking.payer, "")
    return OverBudget(lacking, wanted, budgets.left_nanousd(lacking), name, now_ms)


def _held(new: NewJob, known: dict[bytes, Purse], reserved_nanousd: int) -> HeldJob:
    tags_json = write_tags(known[new.key_id].tags_with(new.tags))
    return HeldJob(new.id, new.key_id, None, tags_json, reserved_nanousd)
