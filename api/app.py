"""The HTTP application, put together."""

import time

from fastapi import FastAPI

from api.auth import Authenticator
from api.batches import batches_router
from api.dependencies import ApiDependencies
from api.envelope import Envelope
from api.errors import HANDLERS
from api.files import files_router
from api.health import health_router
from api.jobs import jobs_router
from api.keys import keys_router
from api.models import models_router

__all__ = ["ApiDependencies", "create_app"]


def create_app(dependencies: ApiDependencies) -> FastAPI:
    """Make the application. It keeps no state outside itself; the dependencies stay their owner's to close."""
    app = FastAPI(
        title="Laneway",
        version=dependencies.version,
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers=dict(HANDLERS),
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.dependencies = dependencies
    app.state.authenticator = Authenticator(
        dependencies.database, pepper=dependencies.pepper, master_key=dependencies.master_key
    )
    app.state.started_at_s = int(time.time())
    app.add_middleware(Envelope)
    for router in (files_router(), batches_router(), jobs_router(), models_router(), keys_router(), health_router()):
        app.include_router(router)
    return app
