"""Who asks: the bearer key of a request, and whose it is.

Every router asks for it itself, so a route without it is a choice seen in the code. The same 401 answers a key that is
missing, malformed, unknown, revoked or expired. A key is looked up by the whole digest of its secret, and what was
found is believed for less than two seconds, so a revoked key is dead everywhere by then.

An address that guesses is slowed down; a key that was good here before is never part of that, so nobody can lock it.
"""

import asyncio
import hmac
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from api.errors import ApiError
from api.guesses import GuessMeter
from store.database import Database
from store.ids import MASTER_KEY_ID
from store.keys import digest, find_key, is_well_formed

_BELIEVED_S = 1.5
_MOST_KEYS = 10_000
_RETRY_GUESS_S = 6


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller behind a request."""

    key_id: bytes
    """Owns what the caller makes; the caller sees nothing else."""
    name: str
    is_master: bool


class Authenticator:
    """Finds the principal of a secret; one per application."""

    def __init__(self, database: Database, *, pepper: bytes, master_key: str) -> None:
        self._database = database
        self._pepper = pepper
        self._master = digest(pepper, master_key) if master_key else None
        self._known: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        self._guesses = GuessMeter()
        self._asking: dict[bytes, asyncio.Future[Principal]] = {}

    async def identify(self, secret: str, address: str) -> Principal:
        """Name the principal of a secret. Raises ApiError 401, or 429 for an address that guesses."""
        presented = digest(self._pepper, secret)
        if self._master is not None and hmac.compare_digest(presented, self._master):
            return Principal(MASTER_KEY_ID, "master", is_master=True)
        if not is_well_formed(secret):
            raise unauthorized()
        known = self._known.get(presented)
        if known is not None:
            if time.monotonic() - known[1] < _BELIEVED_S:
                return known[0]
            return await self._look_up(presented)
        return await self._first_look_up(presented, address)

    async def _first_look_up(self, presented: bytes, address: str) -> Principal:
        """Look up a key that is new to this process: once for all that present it at the same time."""
        asked = self._asking.get(presented)
        if asked is None:
            if not self._guesses.take(address):
                raise _guessing()
            asked = self._asking[presented] = asyncio.ensure_future(self._look_up(presented))
            asked.add_done_callback(lambda _: self._asking.pop(presented, None))
            principal = await asyncio.shield(asked)
            self._guesses.give_back(address)
            return principal
        return await asyncio.shield(asked)

    async def _look_up(self, presented: bytes) -> Principal:
        asked_at = time.monotonic()
        found = await self._database.read(find_key, presented)
        if found is None:
            self._known.pop(presented, None)
            raise unauthorized()
        principal = Principal(found.id, found.name, is_master=False)
        self._known[presented] = (principal, asked_at)
        self._known.move_to_end(presented)
        if len(self._known) > _MOST_KEYS:
            self._known.popitem(last=False)
        return principal


def unauthorized() -> ApiError:
    """The one answer for every credential that is no good."""
    message = "Incorrect API key provided. Send a valid key as `Authorization: Bearer <key>`."
    return ApiError(401, message, code="invalid_api_key", headers={"www-authenticate": "Bearer"})


def _guessing() -> ApiError:
    message = f"Too many wrong keys from your address. Wait {_RETRY_GUESS_S} seconds and check the key."
    headers = {"retry-after": str(_RETRY_GUESS_S)}
    return ApiError(429, message, kind="rate_limit_error", code="rate_limit_exceeded", headers=headers)


async def authenticate(request: Request) -> Principal:
    """Find who asks, from the `Authorization` header alone; also kept as `request.state.principal`."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret:
        raise unauthorized()
    authenticator = cast(Authenticator, request.app.state.authenticator)
    address = request.client.host if request.client else ""
    principal = await authenticator.identify(secret, address)
    request.state.principal = principal
    return principal


Caller = Annotated[Principal, Depends(authenticate)]


async def require_master(caller: Caller) -> None:
    """Let only the master key through."""
    if not caller.is_master:
        raise ApiError(403, "Only the master key may do this.", kind="permission_error", code="master_key_required")
