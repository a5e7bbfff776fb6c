"""A team as clients write it and read it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.answers import seconds
from api.batch_request import printable
from api.budget_object import budget_object
from router.budget import Period
from router.measures import UsdNanousd
from store.ids import Prefix, public_id
from store.teams import TeamEdit, TeamRow

Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(printable)]


class TeamChange(BaseModel):
    """The body of `PATCH /admin/teams/{team_id}`: what is not named stays."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: Name | None = None
    shares: bool | None = None
    """Its keys see and manage what each of them makes."""
    budgets: dict[Literal["daily", "monthly", "total"], UsdNanousd | None] = {}
    """US dollars by period; null removes a budget, a period that is not named stays as it is."""

    def edit(self) -> TeamEdit:
        """What is asked for."""
        return TeamEdit(self.name, self.shares, {Period(name): limit for name, limit in self.budgets.items()})


class TeamRequest(TeamChange):
    """The body of `POST /admin/teams`."""

    name: Name


def team_object(row: TeamRow) -> dict[str, Any]:
    """Write a team, with its budgets as they stand."""
    return {
        "id": public_id(Prefix.TEAM, row.id),
        "object": "team",
        "name": row.name,
        "shares": row.shares,
        "created_at": seconds(row.created_at_ms),
        "keys": row.keys,
        "budgets": {state.period.value: budget_object(state, row.read_at_ms) for state in row.budgets},
    }
