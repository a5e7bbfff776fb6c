"""The resource `/v1/jobs`: for now the lines of batches, by the `request_id` of their output line."""

from fastapi import APIRouter, Depends, Response

from api.answers import json_answer
from api.auth import Caller, authenticate
from api.dependencies import Dependencies
from api.errors import not_found
from api.job_object import job_object
from store.ids import Prefix, raw_id
from store.jobs import get_job


def jobs_router() -> APIRouter:
    """The routes of jobs."""
    router = APIRouter(prefix="/v1/jobs", dependencies=[Depends(authenticate)])
    router.add_api_route("/{job_id}", retrieve, methods=["GET"], response_model=None)
    return router


async def retrieve(job_id: str, dependencies: Dependencies, caller: Caller) -> Response:
    """Describe one job, with its answer and its receipt."""
    raw = raw_id(Prefix.JOB, job_id)
    row = None if raw is None else await dependencies.database.read(get_job, caller.key_id, raw)
    if row is None:
        raise not_found("Job", job_id)
    return json_answer(job_object(row))
