"""The key desk: everything that is done with virtual keys, for the API and for the command line on the database.

Each act is one transaction, and all of them raise ApiError: 403 for what the key that asks may not give, 404 for a key
that there is not (or that it did not make), 409 for a key that is revoked.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from api.errors import NO_RETRY, ApiError, bad_request, not_found
from api.key_object import key_object
from api.key_request import KeyEdit, KeyRequest
from store.database import Database
from store.ids import Prefix, new_id, public_id, raw_id
from store.key_life import block_key, delete_key, revoke_key, rotate_key, unblock_key
from store.key_rows import KeyFilter, KeyRow, KeyStatus, get_key, list_keys
from store.key_secrets import digest, make_secret
from store.keys import Exceeds, NotDone, Refused, create_key, edit_key
from store.page import Page, Window
from store.webhook_secret import key_secret

Word = Literal["block", "unblock", "revoke"]
_ACTS = {"block": block_key, "unblock": unblock_key, "revoke": revoke_key}
_SHARED = {
    "limits": "limits of its own, which a new key would not share",
    "budgets": "a budget of its own, which a new key would not share: give the budget to a team or a tag",
}
"""What no key can give on, and why."""


@dataclass(frozen=True, slots=True)
class KeyDesk:
    """Acts on the keys of one database."""

    database: Database
    pepper: bytes = field(repr=False)
    """The one in use."""
    by: bytes
    """The key that acts."""

    async def create(self, asked: KeyRequest) -> dict[str, Any]:
        """Make a key. Only here is its secret ever told; its webhook secret the holder may ask for."""
        secret, key_id = make_secret(), new_id()
        stored = digest(self.pepper, secret)
        made = await self.database.write(
            create_key, asked.grant, key_id=key_id, digest=stored, last4=secret[-4:], by=self.by
        )
        if made is NotDone.NO_TEAM:
            raise not_found("Team", asked.team_id or "", param="team_id")
        told = {"secret": secret, "webhook_secret": key_secret(self.pepper, key_id)}
        return {**key_object(_done(made)), **told}

    async def get(self, key_id: str) -> dict[str, Any]:
        """Describe one key."""
        row = await self.database.read(get_key, _raw(key_id), by=self.by)
        return key_object(_done(row or NotDone.NO_KEY, key_id))

    async def page(self, window: Window, which: KeyFilter) -> Page[KeyRow] | None:
        """Read one page of the keys; None when the cursor is unknown."""
        return await self.database.read(list_keys, window, which, by=self.by)

    async def edit(self, key_id: str, asked: KeyEdit) -> dict[str, Any]:
        """Change settings of a key."""
        row = await self.database.write(edit_key, _raw(key_id), asked.over, by=self.by)
        return key_object(_done(row, key_id))

    async def rotate(self, key_id: str, overlap_ms: int) -> dict[str, Any]:
        """Make a new secret, told only here; the old ones end after the overlap."""
        secret = make_secret()
        stored = digest(self.pepper, secret)
        row = await self.database.write(
            rotate_key, _raw(key_id), digest=stored, last4=secret[-4:], overlap_ms=overlap_ms, by=self.by
        )
        return {**key_object(_done(row, key_id)), "secret": secret}

    async def act(self, key_id: str, word: Word) -> dict[str, Any]:
        """Block, unblock or revoke a key. Repeatable."""
        return key_object(_done(await self.database.write(_ACTS[word], _raw(key_id), by=self.by), key_id))

    async def delete(self, key_id: str) -> dict[str, Any]:
        """Revoke a key and take it out of the lists."""
        raw = _raw(key_id)
        if not await self.database.write(delete_key, raw, by=self.by):
            raise not_found("Key", key_id)
        return {"id": public_id(Prefix.KEY, raw), "object": "key", "deleted": True}


def key_filter(team_id: str | None, owner: str | None, status: str | None) -> KeyFilter:
    """Read which keys are to be listed. Raises ApiError 400, or 404 for an id that is no team's."""
    team = None if team_id is None else raw_id(Prefix.TEAM, team_id)
    if team_id is not None and team is None:
        raise not_found("Team", team_id, param="team_id")
    if status is not None and status not in set(KeyStatus):
        message = f"Invalid 'status': it should be one of {', '.join(KeyStatus)}."
        raise bad_request(message, param="status", code="invalid_value")
    return KeyFilter(team, owner, None if status is None else KeyStatus(status))


def _raw(key_id: str) -> bytes:
    raw = raw_id(Prefix.KEY, key_id)
    if raw is None:
        raise not_found("Key", key_id)
    return raw


def _done(outcome: KeyRow | Refused, key_id: str = "") -> KeyRow:
    """Take a key out of the store's hands, or say why there is none."""
    match outcome:
        case KeyRow():
            return outcome
        case Exceeds(what):
            reason = f"has {_SHARED[what]}" if what in _SHARED else f"may not give a key more '{what}' than it has"
            message = f"Your API key {reason}."
            raise ApiError(403, message, kind="permission_error", param=what, code="exceeds_own_key")
        case NotDone.REVOKED:
            raise ApiError(409, "The key is revoked. Make a new one.", code="key_revoked", headers=NO_RETRY)
        case _:
            raise not_found("Key", key_id)
