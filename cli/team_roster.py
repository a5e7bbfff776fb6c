"""A team roster: what can be done with teams, in the database itself or through a server's admin API."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

import orjson

from api.bodies import parse_model
from api.team_desk import TeamDesk
from api.team_object import TeamChange, TeamRequest, team_object
from cli.admin_api import AdminApi
from cli.at_database import at_database, every
from cli.settings import Settings
from store.database import Database
from store.ids import AT_THE_DATABASE

T = TypeVar("T")
Team = dict[str, Any]
"""A team as the admin API writes it."""


class TeamRoster(Protocol):
    """All methods raise CommandError. What is asked is the body of the admin API's request."""

    def create(self, asked: Mapping[str, Any]) -> Team: ...
    def list(self) -> list[Team]: ...
    def get(self, team_id: str) -> Team: ...
    def edit(self, team_id: str, asked: Mapping[str, Any]) -> Team: ...
    def delete(self, team_id: str) -> Team: ...


class StoredTeams:
    """Teams straight in the database of these settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def create(self, asked: Mapping[str, Any]) -> Team:
        return self._at(lambda desk: desk.create(parse_model(orjson.dumps(asked), TeamRequest)))

    def list(self) -> list[Team]:
        rows = self._at(lambda desk: every(desk.page, lambda row: row.id, sys.maxsize))
        return [team_object(row) for row in rows]

    def get(self, team_id: str) -> Team:
        return self._at(lambda desk: desk.get(team_id))

    def edit(self, team_id: str, asked: Mapping[str, Any]) -> Team:
        return self._at(lambda desk: desk.edit(team_id, parse_model(orjson.dumps(asked), TeamChange)))

    def delete(self, team_id: str) -> Team:
        return self._at(lambda desk: desk.delete(team_id))

    def _at(self, work: Callable[[TeamDesk], Awaitable[T]]) -> T:
        async def at_desk(database: Database) -> T:
            return await work(TeamDesk(database, AT_THE_DATABASE))

        return at_database(self._settings, at_desk)


class RemoteTeams:
    """Teams through a server's admin API."""

    def __init__(self, admin: AdminApi) -> None:
        self._admin = admin

    def create(self, asked: Mapping[str, Any]) -> Team:
        return self._admin.ask("POST", "/admin/teams", asked)

    def list(self) -> list[Team]:
        return list(self._admin.every("/admin/teams?"))

    def get(self, team_id: str) -> Team:
        return self._admin.ask("GET", _path(team_id))

    def edit(self, team_id: str, asked: Mapping[str, Any]) -> Team:
        return self._admin.ask("PATCH", _path(team_id), asked)

    def delete(self, team_id: str) -> Team:
        return self._admin.ask("DELETE", _path(team_id))


def _path(team_id: str) -> str:
    return f"/admin/teams/{quote(team_id, safe='')}"
