"""A budget book: what can be done with budgets, in the database itself or through a server's admin API."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import orjson

from api.bodies import parse_model
from api.budget_desk import BudgetDesk
from api.budgets import BudgetRequest
from cli.admin_api import AdminApi
from cli.at_database import at_database
from cli.settings import Settings
from router.budget import PayerKind, Period
from store.database import Database
from store.ids import AT_THE_DATABASE

T = TypeVar("T")
Budget = dict[str, Any]
"""A budget as the admin API writes it."""
_PAGE = 100


class BudgetBook(Protocol):
    """All methods raise CommandError. Payers are spelled as the admin API spells them."""

    def list(self, kind: PayerKind | None, payer: str | None) -> list[Budget]: ...
    def put(self, payer: str, period: Period, limit_usd: str) -> Budget: ...
    def clear(self, payer: str, period: Period) -> Budget: ...


class StoredBudgets:
    """Budgets straight in the database of these settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def list(self, kind: PayerKind | None, payer: str | None) -> list[Budget]:
        async def every(desk: BudgetDesk) -> list[Budget]:
            found: list[Budget] = []
            has_more = True
            while has_more:
                after = found[-1]["id"] if found else None
                page = await desk.page(kind=kind, payer=payer, after=after, limit=_PAGE)
                found += page.items
                has_more = page.has_more
            return found

        return self._at(every)

    def put(self, payer: str, period: Period, limit_usd: str) -> Budget:
        async def put(desk: BudgetDesk) -> Budget:
            limit_nanousd = parse_model(orjson.dumps({"limit_usd": limit_usd}), BudgetRequest).limit_usd
            return await desk.put(payer, period, limit_nanousd)

        return self._at(put)

    def clear(self, payer: str, period: Period) -> Budget:
        return self._at(lambda desk: desk.clear(payer, period))

    def _at(self, work: Callable[[BudgetDesk], Awaitable[T]]) -> T:
        async def at_desk(database: Database) -> T:
            return await work(BudgetDesk(database, AT_THE_DATABASE))

        return at_database(self._settings, at_desk)


class RemoteBudgets:
    """Budgets through a server's admin API."""

    def __init__(self, admin: AdminApi) -> None:
        self._admin = admin

    def list(self, kind: PayerKind | None, payer: str | None) -> list[Budget]:
        asked = {"kind": kind, "payer": payer}
        query = "".join(f"{name}={quote(value)}&" for name, value in asked.items() if value is not None)
        return list(self._admin.every(f"/admin/budgets?{query}"))

    def put(self, payer: str, period: Period, limit_usd: str) -> Budget:
        return self._admin.ask("PUT", _path(payer, period), {"limit_usd": limit_usd})

    def clear(self, payer: str, period: Period) -> Budget:
        return self._admin.ask("DELETE", _path(payer, period))


def _path(payer: str, period: Period) -> str:
    return f"/admin/budgets/{quote(payer)}/{period}"
