"""The resource `/admin/teams`: keys of one group of people, with budgets above those of the keys."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from api.answers import json_answer, list_answer
from api.auth import Caller, needs
from api.bodies import read_model
from api.dependencies import Dependencies
from api.paging import known, window
from api.team_desk import TeamDesk
from api.team_object import TeamChange, TeamRequest, team_object
from router.key_rules import KeyScope
from store.ids import Prefix


def teams_router() -> APIRouter:
    """The routes of teams."""
    router = APIRouter(prefix="/admin/teams", dependencies=[needs(KeyScope.ADMIN_TEAMS)])
    router.add_api_route("", create, methods=["POST"], response_model=None)
    router.add_api_route("", list_page, methods=["GET"], response_model=None)
    router.add_api_route("/{team_id}", retrieve, methods=["GET"], response_model=None)
    router.add_api_route("/{team_id}", edit, methods=["PATCH"], response_model=None)
    router.add_api_route("/{team_id}", delete, methods=["DELETE"], response_model=None)
    return router


async def _desk(dependencies: Dependencies, caller: Caller) -> TeamDesk:
    return TeamDesk(dependencies.database, caller.key_id)


Desk = Annotated[TeamDesk, Depends(_desk)]


async def create(request: Request, desk: Desk) -> Response:
    """Make a team. Keys join it when they are made, and never change it."""
    return json_answer(await desk.create(await read_model(request, TeamRequest)))


async def list_page(desk: Desk, after: str | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Response:
    """List the teams, newest first."""
    page = known(await desk.page(window(Prefix.TEAM, after, limit)), after)
    return list_answer([team_object(row) for row in page.items], has_more=page.has_more)


async def retrieve(team_id: str, desk: Desk) -> Response:
    """Describe one team, with its budgets as they stand."""
    return json_answer(await desk.get(team_id))


async def edit(team_id: str, request: Request, desk: Desk) -> Response:
    """Change what is named, within two seconds in every process; the rest stays as it is."""
    return json_answer(await desk.edit(team_id, await read_model(request, TeamChange)))


async def delete(team_id: str, desk: Desk) -> Response:
    """Delete a team whose keys are all revoked. What they spent is still found under it."""
    return json_answer(await desk.delete(team_id))
