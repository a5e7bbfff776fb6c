"""The resources `/admin/budgets` and `/v1/budgets`: what keys, teams and tags may spend, and what is left of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from api.answers import json_answer, list_answer
from api.auth import Caller, needs
from api.bodies import read_model
from api.budget_desk import BudgetDesk
from api.dependencies import Dependencies
from router.budget import PayerKind, Period
from router.key_rules import KeyScope
from router.measures import UsdNanousd

_ONE = "/admin/budgets/{payer:path}/{period}"
"""A tag may contain slashes."""


class BudgetRequest(BaseModel):
    """The body of `PUT /admin/budgets/{payer}/{period}`."""

    model_config = ConfigDict(extra="forbid")

    limit_usd: UsdNanousd
    """The most that may be spent in a period, a number or its decimal text."""


def budgets_router() -> APIRouter:
    """The routes of budgets."""
    router = APIRouter()
    administers = [needs(KeyScope.ADMIN_BUDGETS)]
    router.add_api_route("/admin/budgets", list_page, methods=["GET"], response_model=None, dependencies=administers)
    router.add_api_route(_ONE, put, methods=["PUT"], response_model=None, dependencies=administers)
    router.add_api_route(_ONE, clear, methods=["DELETE"], response_model=None, dependencies=administers)
    router.add_api_route(
        "/v1/budgets", list_own, methods=["GET"], response_model=None, dependencies=[needs(KeyScope.READ)]
    )
    return router


async def _desk(dependencies: Dependencies, caller: Caller) -> BudgetDesk:
    return BudgetDesk(dependencies.database, caller.key_id)


Desk = Annotated[BudgetDesk, Depends(_desk)]


async def list_page(
    desk: Desk,
    kind: PayerKind | None = None,
    payer: Annotated[str | None, Query(max_length=200)] = None,
    after: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """List budgets, those of one kind of payer or of one payer, as they stand."""
    page = await desk.page(kind=kind, payer=payer, after=after, limit=limit)
    return list_answer(page.items, has_more=page.has_more)


async def list_own(desk: Desk, caller: Caller) -> Response:
    """List the budgets that all work of the caller's key counts against: its own, its team's, those of its tags."""
    return list_answer(await desk.own(caller.key_id), has_more=False)


async def put(payer: str, period: Period, request: Request, desk: Desk, dependencies: Dependencies) -> Response:
    """Make a budget, or change its limit; what it has spent stays. Batches that wait for room go on."""
    asked = await read_model(request, BudgetRequest)
    made = await desk.put(payer, period, asked.limit_usd)
    await dependencies.signals.batches_changed()
    return json_answer(made)


async def clear(payer: str, period: Period, desk: Desk, dependencies: Dependencies) -> Response:
    """Remove a budget. Batches that wait for room go on."""
    cleared = await desk.clear(payer, period)
    await dependencies.signals.batches_changed()
    return json_answer(cleared)
