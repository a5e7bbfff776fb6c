"""The resource `/admin/keys`: virtual keys, for the master key and for keys with the scope `admin:keys`."""

from collections.abc import Callable
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Query, Request, Response

from api.answers import json_answer, list_answer
from api.auth import Caller, needs
from api.bodies import CONTROL_BYTES, parse_model, read_body, read_model
from api.dependencies import Dependencies
from api.key_desk import KeyDesk, Word, key_filter
from api.key_object import key_object
from api.key_request import KeyEdit, KeyRequest, RotateRequest
from api.paging import known, window
from router.key_rules import KeyScope
from store.ids import Prefix
from store.key_rows import KeyStatus

_SECRET = {"cache-control": "no-store"}


def keys_router() -> APIRouter:
    """The routes of virtual keys."""
    router = APIRouter(prefix="/admin/keys", dependencies=[needs(KeyScope.ADMIN_KEYS)])
    router.add_api_route("", create, methods=["POST"], response_model=None)
    router.add_api_route("", list_page, methods=["GET"], response_model=None)
    router.add_api_route("/{key_id}", retrieve, methods=["GET"], response_model=None)
    router.add_api_route("/{key_id}", edit, methods=["PATCH"], response_model=None)
    router.add_api_route("/{key_id}", delete, methods=["DELETE"], response_model=None)
    router.add_api_route("/{key_id}/rotate", rotate, methods=["POST"], response_model=None)
    for word in get_args(Word):
        router.add_api_route(f"/{{key_id}}/{word}", _acting(word), methods=["POST"], response_model=None)
    return router


async def _desk(dependencies: Dependencies, caller: Caller) -> KeyDesk:
    return KeyDesk(dependencies.database, dependencies.pepper, caller.key_id)


Desk = Annotated[KeyDesk, Depends(_desk)]


async def create(request: Request, desk: Desk, dependencies: Dependencies) -> Response:
    """Make a key. This answer is the only place where its secret ever is; its webhook secret the holder may ask for."""
    asked = await read_model(request, KeyRequest)
    made = await desk.create(asked)
    if made["limits"]:
        await dependencies.signals.settings_changed()
    return json_answer(made, headers=_SECRET)


async def list_page(
    desk: Desk,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    team_id: str | None = None,
    owner: Annotated[str | None, Query(max_length=255)] = None,
    status: KeyStatus | None = None,
) -> Response:
    """List the virtual keys, newest first; revoked ones stay in the list until they are deleted."""
    which = key_filter(team_id, owner, status)
    page = known(await desk.page(window(Prefix.KEY, after, limit), which), after)
    return list_answer([key_object(row) for row in page.items], has_more=page.has_more)


async def retrieve(key_id: str, desk: Desk) -> Response:
    """Describe one key."""
    return json_answer(await desk.get(key_id))


async def edit(key_id: str, request: Request, desk: Desk, dependencies: Dependencies) -> Response:
    """Change what is named, within two seconds in every process; the rest stays as it is."""
    asked = await read_model(request, KeyEdit)
    edited = await desk.edit(key_id, asked)
    await dependencies.signals.settings_changed()
    return json_answer(edited)


async def rotate(key_id: str, request: Request, desk: Desk) -> Response:
    """Make a new secret for the same key; the old one still works for the overlap. Only this answer has the new one."""
    raw = await read_body(request, limit_bytes=CONTROL_BYTES)
    asked = parse_model(raw or b"{}", RotateRequest)
    return json_answer(await desk.rotate(key_id, asked.overlap), headers=_SECRET)


async def delete(key_id: str, desk: Desk) -> Response:
    """Revoke a key and take it out of the lists. What it made and what it spent stays."""
    return json_answer(await desk.delete(key_id))


def _acting(word: Word) -> Callable[..., Any]:
    async def act(key_id: str, desk: Desk) -> Response:
        return json_answer(await desk.act(key_id, word))

    return act
