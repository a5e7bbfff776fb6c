"""Health: whether the process lives, and whether it can take work. Open to all, so it tells no more than that."""

import asyncio
from enum import StrEnum

from fastapi import APIRouter, Response

from api.answers import json_answer
from api.dependencies import ApiDependencies, Dependencies
from store.database import StoreUnavailable
from store.schema import SchemaState, read_state

_DATABASE_S = 2.0


class Health(StrEnum):
    """How one thing, or the whole, is doing."""

    OK = "ok"
    DEGRADED = "degraded"  # slower or without some comfort, but all work is taken and kept
    UNAVAILABLE = "unavailable"


def health_router() -> APIRouter:
    """The routes of probes; they need no key."""
    router = APIRouter()
    for path, probe in (("/healthz", alive), ("/livez", alive), ("/readyz", ready)):
        router.add_api_route(path, probe, methods=["GET"], response_model=None)
        router.add_api_route(path, probe, methods=["HEAD"], response_model=None, include_in_schema=False)
    return router


async def alive(dependencies: Dependencies) -> Response:
    """Answer while the process can answer at all."""
    return json_answer({"status": Health.OK, "version": dependencies.version})


async def ready(dependencies: Dependencies) -> Response:
    """Tell whether work can be taken: 503 without the database, 200 and `degraded` without Redis."""
    (database, schema), redis = await asyncio.gather(_check_database(dependencies), _check_redis(dependencies))
    checks = {"database": database, "schema": schema, "redis": redis}
    status = max(checks.values(), key=list(Health).index)
    body = {"status": status, "checks": {name: {"status": health} for name, health in checks.items()}}
    return json_answer(body, status=503 if status is Health.UNAVAILABLE else 200)


async def _check_database(dependencies: ApiDependencies) -> tuple[Health, Health]:
    try:
        async with asyncio.timeout(_DATABASE_S):
            state = await dependencies.database.read(read_state)
    except (StoreUnavailable, TimeoutError):
        return Health.UNAVAILABLE, Health.UNAVAILABLE
    return Health.OK, Health.OK if state is SchemaState.CURRENT else Health.UNAVAILABLE


async def _check_redis(dependencies: ApiDependencies) -> Health:
    return Health.OK if await dependencies.signals.ping() else Health.DEGRADED
