"""Live edits, `/admin/providers/...` and `/admin/deployments/...`: pause, drain, resume, and limits that hold at once.

An edit wins over the file until it is cleared, and is in force everywhere within seconds.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from api.answers import json_answer
from api.auth import Caller, needs
from api.bodies import read_object
from api.dependencies import ApiDependencies, Dependencies
from api.errors import ApiError, bad_request, echo
from api.queue_object import edit_object
from router.key_rules import KeyScope
from router.live import Live
from router.override import BadOverride, LimitEdits, Override, parse_limits
from router.routes import RouteTable
from router.scope import Scope, deployment_scope, provider_scope
from router.standing import Closed
from router.suggestion import nearest
from store.overrides import set_limits, set_state

_WORDS: dict[str, Closed | None] = {"pause": Closed.PAUSED, "drain": Closed.DRAINING, "resume": None}


def live_edits_router() -> APIRouter:
    """The routes of live edits. Model names may contain slashes."""
    router = APIRouter(prefix="/admin", dependencies=[needs(KeyScope.ADMIN_LIMITS)])
    for path, find in (("/providers/{provider}", _provider), ("/deployments/{provider}/{model:path}", _deployment)):
        for word, state in _WORDS.items():
            router.add_api_route(f"{path}/{word}", _setting_state(find, state), methods=["POST"], response_model=None)
        for method, keep_others in (("PUT", False), ("PATCH", True)):
            handler = _editing(find, keep_others=keep_others)
            router.add_api_route(f"{path}/limits", handler, methods=[method], response_model=None)
        router.add_api_route(f"{path}/limits", _clearing(find), methods=["DELETE"], response_model=None)
    return router


Handler = Callable[..., Any]


async def _provider(provider: str, dependencies: Dependencies) -> Scope:
    return provider_scope(known_provider(provider, dependencies.routes))


async def _deployment(provider: str, model: str, dependencies: Dependencies) -> Scope:
    found = known_provider(provider, dependencies.routes)
    if dependencies.routes.resolve(f"{found}/{model}") is None:
        raise bad_request("A model's name has 1 to 200 printable characters.", param="model", code="invalid_value")
    return deployment_scope(found, model)


def known_provider(name: str, routes: RouteTable) -> str:
    """Find a provider that is on, by its name or an alias. Raises ApiError 404 that names the nearest ones."""
    found = name if name in routes.connections else routes.aliases.get(name, name)
    if found in routes.connections:
        return found
    near = ", ".join(f"'{each}'" for each in nearest(name[:100], routes.connections))
    hint = f"Did you mean {near}?" if near else "GET /v1/queues lists those that are."
    raise ApiError(404, f"No provider '{echo(name)}' is on. {hint}", param="provider", code="provider_not_found")


def _setting_state(find: Handler, state: Closed | None) -> Handler:
    async def set_it(scope: Annotated[Scope, Depends(find)], dependencies: Dependencies, caller: Caller) -> Response:
        override = await dependencies.database.write(set_state, scope, state, by=caller.key_id)
        return await _answer(dependencies, scope, override)

    return set_it


def _editing(find: Handler, *, keep_others: bool) -> Handler:
    async def edit(
        scope: Annotated[Scope, Depends(find)], request: Request, dependencies: Dependencies, caller: Caller
    ) -> Response:
        """Edit these limits; the edits of others stay, or are cleared."""
        return await _edit(dependencies, scope, await _asked(request), caller.key_id, keep_others=keep_others)

    return edit


def _clearing(find: Handler) -> Handler:
    async def clear(scope: Annotated[Scope, Depends(find)], dependencies: Dependencies, caller: Caller) -> Response:
        """Go back to the file's limits."""
        return await _edit(dependencies, scope, {}, caller.key_id, keep_others=False)

    return clear


async def _asked(request: Request) -> LimitEdits:
    try:
        return parse_limits(await read_object(request))
    except BadOverride as error:
        raise bad_request(str(error), param=error.param, code="invalid_value") from None


async def _edit(
    dependencies: ApiDependencies, scope: Scope, limits: LimitEdits, by: bytes, *, keep_others: bool
) -> Response:
    override = await dependencies.database.write(set_limits, scope, limits, by=by, keep_others=keep_others)
    return await _answer(dependencies, scope, override)


async def _answer(dependencies: ApiDependencies, scope: Scope, override: Override) -> Response:
    await dependencies.signals.settings_changed()
    return json_answer(edit_object(scope, Live(overrides={scope: override})))
