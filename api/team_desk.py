"""The team desk: everything that is done with teams, for the API and for the command line on the database.

Each act is one transaction. All raise ApiError: 403 for the team of the key that acts, 404 for a team that there is
not, 409 for one that has keys.
"""

from dataclasses import dataclass
from typing import Any

from api.errors import NO_RETRY, ApiError, not_found
from api.team_object import TeamChange, TeamRequest, team_object
from store.database import Database
from store.ids import Prefix, new_id, raw_id
from store.page import Page, Window
from store.teams import InUse, OwnTeam, TeamRow, create_team, delete_team, edit_team, get_team, list_teams


@dataclass(frozen=True, slots=True)
class TeamDesk:
    """Acts on the teams of one database."""

    database: Database
    by: bytes
    """The key that acts."""

    async def create(self, asked: TeamRequest) -> dict[str, Any]:
        """Make a team."""
        return team_object(await self.database.write(create_team, new_id(), asked.edit(), by=self.by))

    async def page(self, window: Window) -> Page[TeamRow] | None:
        """Read one page of the teams, newest first; None when the cursor is unknown."""
        return await self.database.read(list_teams, window)

    async def get(self, team_id: str) -> dict[str, Any]:
        """Describe one team."""
        return _found(await self.database.read(get_team, _raw(team_id)), team_id)

    async def edit(self, team_id: str, asked: TeamChange) -> dict[str, Any]:
        """Change what is named."""
        row = await self.database.write(edit_team, _raw(team_id), asked.edit(), by=self.by)
        if isinstance(row, OwnTeam):
            message = "No key edits the team that it belongs to."
            raise ApiError(403, message, kind="permission_error", code="own_team")
        return _found(row, team_id)

    async def delete(self, team_id: str) -> dict[str, Any]:
        """Delete a team whose keys are all revoked."""
        gone = await self.database.write(delete_team, _raw(team_id), by=self.by)
        if isinstance(gone, InUse):
            message = f"Keys of this team that are not revoked: {gone.keys}. Revoke or delete them first."
            raise ApiError(409, message, code="team_in_use", headers=NO_RETRY)
        _found(gone, team_id)
        return {"id": team_id, "object": "team", "deleted": True}


def _raw(team_id: str) -> bytes:
    raw = raw_id(Prefix.TEAM, team_id)
    if raw is None:
        raise not_found("Team", team_id)
    return raw


def _found(row: TeamRow | None, team_id: str) -> dict[str, Any]:
    if row is None:
        raise not_found("Team", team_id)
    return team_object(row)
