"""The budget desk: everything that is done with budgets, for the API and for the command line on the database.

Each act is one transaction. All raise ApiError: 403 for a budget that holds the key that acts, 404 for a payer or a
budget that there is not.
"""

from dataclasses import dataclass
from typing import Any

from api.budget_object import budget_object
from api.errors import ApiError, bad_request, echo, not_found
from api.paging import unknown_cursor
from router.budget import Payer, PayerKind, Period
from store.budget_list import BudgetRow, OwnBudget, Place, budgets_over, drop_budget, list_budgets, put_budget
from store.database import Database
from store.page import Page
from store.payer_names import payer_of, public_payer


@dataclass(frozen=True, slots=True)
class BudgetDesk:
    """Acts on the budgets of one database."""

    database: Database
    by: bytes
    """The key that acts."""

    async def page(
        self, *, kind: PayerKind | None, payer: str | None, after: str | None, limit: int
    ) -> Page[dict[str, Any]]:
        """List budgets, in the order of their ids."""
        which = None if payer is None else _payer(payer)
        place = _place(after) if after else None
        page = await self.database.read(list_budgets, kind=kind, payer=which, after=place, limit=limit)
        return Page(tuple(whole_budget(row) for row in page.items), page.has_more)

    async def own(self, key_id: bytes) -> list[dict[str, Any]]:
        """List the budgets that all work of a key counts against."""
        return [whole_budget(row) for row in await self.database.read(budgets_over, key_id)]

    async def put(self, payer: str, period: Period, limit_nanousd: int) -> dict[str, Any]:
        """Make a budget, or change its limit. What it has spent stays."""
        try:
            row = await self.database.write(put_budget, _payer(payer), period, limit_nanousd, by=self.by)
        except OwnBudget:
            raise _own() from None
        if row is None:
            raise not_found("Payer", payer, param="payer")
        return whole_budget(row)

    async def clear(self, payer: str, period: Period) -> dict[str, Any]:
        """Remove a budget."""
        try:
            gone = await self.database.write(drop_budget, _payer(payer), period, by=self.by)
        except OwnBudget:
            raise _own() from None
        if not gone:
            raise not_found("Budget", f"{payer}/{period}")
        return {"id": f"{payer}/{period}", "object": "budget", "deleted": True}


def whole_budget(row: BudgetRow) -> dict[str, Any]:
    """Write a budget with who pays."""
    payer = public_payer(row.state.payer)
    return {
        "id": f"{payer}/{row.state.period}",
        "object": "budget",
        "payer": payer,
        "name": row.name or None,
        "period": row.state.period,
        **budget_object(row.state, row.read_at_ms),
    }


def _payer(text: str) -> Payer:
    payer = payer_of(text)
    if payer is None:
        message = f"Invalid 'payer': '{echo(text)}' is none. It is key:KEY_ID, team:TEAM_ID or tag:TAG."
        raise bad_request(message, param="payer", code="invalid_value")
    return payer


def _place(text: str) -> Place:
    payer, _, period = text.rpartition("/")
    found = payer_of(payer)
    if found is None or period not in set(Period):
        raise unknown_cursor(text)
    return found, Period(period)


def _own() -> ApiError:
    message = "No key edits a budget that holds itself: its own, its team's, or one of its tags."
    return ApiError(403, message, kind="permission_error", code="own_budget")
