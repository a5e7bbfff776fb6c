"""Edits of a running batch: pause it, let it go on, change what it may cost."""

from fastapi import Request, Response

from api.answers import json_answer
from api.auth import Caller
from api.batch_object import batch_object
from api.batch_request import BatchEdit
from api.bodies import CONTROL_BYTES, parse_model, read_body
from api.dependencies import ApiDependencies, Dependencies
from api.errors import NO_RETRY, ApiError, not_found
from api.pause_object import pause_object
from api.wait_view import wait_of_batch
from store.batches import BatchRow, Refused
from store.cost_caps import set_cap
from store.ids import Prefix, raw_id
from store.pauses import request_pause, request_resume


async def pause(batch_id: str, dependencies: Dependencies, caller: Caller) -> Response:
    """Stop handing out the lines of a batch until it is resumed; what was handed out runs to its end. Repeatable."""
    raw = raw_id(Prefix.BATCH, batch_id)
    row = None if raw is None else await dependencies.database.write(request_pause, caller.owners, raw)
    return await _answer(batch_id, dependencies, row)


async def resume(batch_id: str, dependencies: Dependencies, caller: Caller) -> Response:
    """Let a paused batch go on. Refused while a budget has no room for its next line. Repeatable."""
    raw = raw_id(Prefix.BATCH, batch_id)
    row = None if raw is None else await dependencies.database.write(request_resume, caller.owners, raw)
    if isinstance(row, BatchRow) and (paused := pause_object(row)):
        raise ApiError(409, paused["message"], code="batch_over_budget", headers=NO_RETRY)
    return await _answer(batch_id, dependencies, row)


async def edit(batch_id: str, request: Request, dependencies: Dependencies, caller: Caller) -> Response:
    """Change what a batch may cost; one that is paused for want of it goes on where that is enough."""
    asked = parse_model(await read_body(request, limit_bytes=CONTROL_BYTES), BatchEdit)
    raw, cap = raw_id(Prefix.BATCH, batch_id), asked.max_cost_nanousd
    row = None if raw is None else await dependencies.database.write(set_cap, caller.owners, raw, cap)
    return await _answer(batch_id, dependencies, row)


async def _answer(batch_id: str, dependencies: ApiDependencies, row: BatchRow | Refused | None) -> Response:
    if row is None:
        raise not_found("Batch", batch_id)
    if isinstance(row, Refused):
        message = f"The batch is {row.status}: it cannot be paused, resumed or changed any more."
        raise ApiError(409, message, code="batch_not_changeable", headers=NO_RETRY)
    await dependencies.signals.batches_changed()
    return json_answer(batch_object(row, await wait_of_batch(dependencies, row)))
