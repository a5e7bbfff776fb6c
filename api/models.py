"""The resource `/v1/models`: the names that can be asked for."""

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from api.answers import json_answer
from api.asked import find_route
from api.auth import authenticate
from api.dependencies import Dependencies
from router.routes import Route


def models_router() -> APIRouter:
    """The routes of models. Names may contain slashes."""
    router = APIRouter(prefix="/v1/models", dependencies=[Depends(authenticate)])
    router.add_api_route("", list_all, methods=["GET"], response_model=None)
    router.add_api_route("/{name:path}", retrieve, methods=["GET"], response_model=None)
    return router


async def list_all(request: Request, dependencies: Dependencies) -> Response:
    """List the public names. `provider/model` names work besides, whether listed or not."""
    routes = [dependencies.routes.resolve(name) for name in dependencies.routes.names()]
    data = [_model_object(request, route) for route in routes if route is not None]
    return json_answer({"object": "list", "data": data})


async def retrieve(name: str, request: Request, dependencies: Dependencies) -> Response:
    """Describe one model."""
    return json_answer(_model_object(request, find_route(name, dependencies.routes)))


def _model_object(request: Request, route: Route) -> dict[str, Any]:
    return {
        "id": route.name,
        "object": "model",
        "created": request.app.state.started_at_s,
        "owned_by": route.deployments[0].provider,
    }
