"""The resource `/v1/models`: the names that can be asked for."""

from typing import Any

from fastapi import APIRouter, Request, Response

from api.answers import json_answer
from api.asked import find_route
from api.auth import Caller, needs
from api.dependencies import Dependencies
from router.key_rules import KeyScope
from router.routes import Route


def models_router() -> APIRouter:
    """The routes of models. Names may contain slashes."""
    router = APIRouter(prefix="/v1/models", dependencies=[needs(KeyScope.READ)])
    router.add_api_route("", list_all, methods=["GET"], response_model=None)
    router.add_api_route("/{name:path}", retrieve, methods=["GET"], response_model=None)
    return router


async def list_all(request: Request, dependencies: Dependencies, caller: Caller) -> Response:
    """List the public names that the caller may ask for. `provider/model` names work besides, listed or not."""
    table = dependencies.routes.only(caller.models)
    routes = [table.resolve(name) for name in table.names()]
    data = [_model_object(request, route) for route in routes if route is not None]
    return json_answer({"object": "list", "data": data})


async def retrieve(name: str, request: Request, dependencies: Dependencies, caller: Caller) -> Response:
    """Describe one model."""
    return json_answer(_model_object(request, find_route(name, dependencies.routes.only(caller.models))))


def _model_object(request: Request, route: Route) -> dict[str, Any]:
    return {
        "id": route.name,
        "object": "model",
        "created": request.app.state.started_at_s,
        "owned_by": route.deployments[0].provider,
    }
