"""The resource `/admin/audit`: what administrators did."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from api.answers import list_answer, seconds
from api.auth import needs
from api.dependencies import Dependencies
from api.errors import bad_request, echo
from api.paging import known, window
from router.key_rules import KeyScope
from store.audit import AuditFilter, AuditRow, list_audit
from store.ids import AT_THE_DATABASE, NOBODY, Prefix, public_id, raw_id

_LATEST_S = 253_402_300_799
"""The end of the year 9999."""
_DATABASE = "database"
_WITHOUT_KEY = {AT_THE_DATABASE: _DATABASE, NOBODY: "nobody"}
Word = Annotated[str, Field(min_length=1, max_length=600)]
Moment = Annotated[int, Field(ge=0, le=_LATEST_S)]
"""Unix seconds."""


class AuditQuery(BaseModel):
    """Which acts are asked for; null is all."""

    object_id: Word | None = None
    """The id or the name of what something was done to."""
    action: Word | None = None
    actor: Word | None = None
    """The id of the key that did it, or `database`."""
    since: Moment | None = None
    until: Moment | None = None
    """The first second that is not shown any more."""

    def filter(self) -> AuditFilter:
        """What is asked of the store. Raises ApiError 400."""
        actor_id = None if self.actor is None else _actor(self.actor)
        return AuditFilter(self.object_id, self.action, actor_id, _ms(self.since), _ms(self.until))


def audit_router() -> APIRouter:
    """The routes of the audit log."""
    router = APIRouter(prefix="/admin/audit", dependencies=[needs(KeyScope.ADMIN_AUDIT)])
    router.add_api_route("", list_page, methods=["GET"], response_model=None)
    return router


async def list_page(
    dependencies: Dependencies,
    asked: Annotated[AuditQuery, Depends()],
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """List what administrators did, newest first."""
    which = asked.filter()
    page = known(await dependencies.database.read(list_audit, window(Prefix.AUDIT, after, limit), which), after)
    return list_answer([audit_object(row) for row in page.items], has_more=page.has_more)


def _actor(text: str) -> bytes:
    raw = AT_THE_DATABASE if text == _DATABASE else raw_id(Prefix.KEY, text)
    if raw is None:
        message = f"Invalid 'actor': '{echo(text)}' is neither the id of a key nor '{_DATABASE}'."
        raise bad_request(message, param="actor", code="invalid_value")
    return raw


def audit_object(row: AuditRow) -> dict[str, Any]:
    """Write one act."""
    word = _WITHOUT_KEY.get(row.actor_id)
    actor_id = public_id(Prefix.KEY, row.actor_id) if word is None else None
    return {
        "id": public_id(Prefix.AUDIT, row.id),
        "object": "audit_event",
        "at": seconds(row.at_ms),
        "actor": {"id": actor_id, "name": word or row.actor_name},
        "action": row.action,
        "object_id": row.object_id,
        "detail": row.detail,
    }


def _ms(at_s: int | None) -> int | None:
    return None if at_s is None else at_s * 1000
