"""The resource `/admin/keys`: virtual keys, for the holder of the master key."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.answers import json_answer, list_answer, seconds
from api.auth import require_master
from api.batch_request import printable
from api.bodies import read_model
from api.dependencies import Dependencies
from api.errors import bad_request, not_found
from api.paging import known, window
from router.cost import usd
from router.limit_names import KEY_LIMITS
from router.measures import Count
from router.override import LimitEdits, limits_object
from store.ids import Prefix, new_id, public_id, raw_id
from store.keys import KeyRow, create_key, digest, list_keys, make_secret, revoke_key
from store.webhook_secret import key_secret

_LATEST_S = 253_402_300_799
"""The end of the year 9999."""


class KeyRequest(BaseModel):
    """The body of `POST /admin/keys`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(printable)]
    expires_at: Annotated[int, Field(le=_LATEST_S)] | None = None
    """Unix seconds; null never."""
    rpm: Count | None = None
    """Requests in any minute, over all that it asks for."""
    tpm: Count | None = None
    """Tokens in any minute, input and output together."""
    max_parallel_requests: Count | None = None
    """Calls in flight."""
    weight: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Its share of the turns, where keys take turns."""

    def limits(self) -> LimitEdits:
        """The limits that are asked for."""
        given = ((name, getattr(self, name)) for name in KEY_LIMITS)
        return {name: amount for name, amount in given if amount is not None}


def keys_router() -> APIRouter:
    """The routes of virtual keys."""
    router = APIRouter(prefix="/admin/keys", dependencies=[Depends(require_master)])
    router.add_api_route("", create, methods=["POST"], response_model=None)
    router.add_api_route("", list_page, methods=["GET"], response_model=None)
    router.add_api_route("/{key_id}/revoke", revoke, methods=["POST"], response_model=None)
    return router


async def create(request: Request, dependencies: Dependencies) -> Response:
    """Make a key. This answer is the only place where its secret ever is; its webhook secret the holder may ask for."""
    asked = await read_model(request, KeyRequest)
    if asked.expires_at is not None and asked.expires_at <= time.time():
        raise bad_request("Invalid 'expires_at': it has passed.", param="expires_at", code="invalid_value")
    secret, key_id = make_secret(), new_id()
    row = await dependencies.database.write(
        create_key,
        key_id=key_id,
        name=asked.name,
        digest=digest(dependencies.pepper, secret),
        last4=secret[-4:],
        expires_at_ms=None if asked.expires_at is None else asked.expires_at * 1000,
        weight=asked.weight,
        limits=asked.limits(),
    )
    if row.limits:
        await dependencies.signals.settings_changed()
    secrets = {"secret": secret, "webhook_secret": key_secret(dependencies.pepper, key_id)}
    return json_answer({**key_object(row), **secrets}, headers={"cache-control": "no-store"})


async def list_page(
    dependencies: Dependencies,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """List the virtual keys, newest first; revoked ones stay in the list."""
    page = known(await dependencies.database.read(list_keys, window(Prefix.KEY, after, limit)), after)
    return list_answer([key_object(row) for row in page.items], has_more=page.has_more)


async def revoke(key_id: str, dependencies: Dependencies) -> Response:
    """End a key; every process refuses it within two seconds. Repeatable."""
    raw = raw_id(Prefix.KEY, key_id)
    row = None if raw is None else await dependencies.database.write(revoke_key, raw)
    if row is None:
        raise not_found("Key", key_id)
    return json_answer(key_object(row))


def key_object(row: KeyRow) -> dict[str, Any]:
    """A key as its operator sees it: enough to recognise it, nothing to use it with."""
    return {
        "id": public_id(Prefix.KEY, row.id),
        "object": "key",
        "name": row.name,
        "hint": f"lw-...{row.last4}",
        "created_at": seconds(row.created_at_ms),
        "expires_at": seconds(row.expires_at_ms),
        "revoked_at": seconds(row.revoked_at_ms),
        "spent_usd": usd(row.spent_nanousd),
        "weight": row.weight,
        "limits": limits_object(row.limits),
    }
