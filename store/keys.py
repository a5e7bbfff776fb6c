"""Virtual keys: the secret that a caller holds, and what is remembered of it.

A secret is `lw-`, 32 random bytes in base62 (43 characters) and their CRC-32 in base62 (6 characters), so that a typing
error is told apart without a look-up. Stored is only its HMAC-SHA256 under the server's pepper: 256 random bits need no
slow hash, and a stolen database is useless without the pepper.
"""

import hmac
import secrets
import string
import zlib
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import orjson
from sqlalchemy import Connection, Row, insert, select, true, update

from router.override import LimitEdits, limits_object, parse_limits
from store.ids import MASTER_KEY_ID
from store.page import Page, Window, read_page
from store.tables import key

_PREFIX = "lw-"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_BYTES = 32
_RANDOM_CHARACTERS = 43
_CHECK_CHARACTERS = 6


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A virtual key as the rest of the program sees it. The digest never leaves the store."""

    id: bytes
    name: str
    last4: str
    """The secret's last four characters, to recognise it by."""
    created_at_ms: int
    expires_at_ms: int | None
    revoked_at_ms: int | None
    spent_nanousd: int
    weight: int = 1
    """Its share of the turns when work is handed out."""
    limits: LimitEdits = field(default_factory=dict)
    """Limits of its own, each a number."""


def make_secret() -> str:
    """Make a new secret. It is shown to its owner once and stored nowhere."""
    body = _base62(int.from_bytes(secrets.token_bytes(_RANDOM_BYTES), "big"), _RANDOM_CHARACTERS)
    return f"{_PREFIX}{body}{_check(body)}"


def is_well_formed(secret: str) -> bool:
    """Tell whether this can be one of our secrets: prefix, length, alphabet and checksum."""
    body = secret[len(_PREFIX) : -_CHECK_CHARACTERS]
    if not secret.startswith(_PREFIX) or len(body) != _RANDOM_CHARACTERS or not body.isascii():
        return False
    return secret[-_CHECK_CHARACTERS:] == _check(body)


def digest(pepper: bytes, secret: str) -> bytes:
    """What is stored of a secret: 32 bytes."""
    return hmac.digest(pepper, secret.encode("utf-8", "surrogateescape"), "sha256")


def _check(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK_CHARACTERS)


def _base62(number: int, width: int) -> str:
    characters = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        characters.append(_ALPHABET[digit])
    return "".join(reversed(characters))


def create_key(
    connection: Connection,
    now_ms: int,
    *,
    key_id: bytes,
    name: str,
    digest: bytes,
    last4: str,
    expires_at_ms: int | None,
    weight: int = 1,
    limits: LimitEdits = MappingProxyType({}),
) -> KeyRow:
    """Remember a new key. `digest` is that of its secret under the pepper in use."""
    connection.execute(
        insert(key).values(
            id=key_id,
            name=name,
            digest=digest,
            last4=last4,
            created_at_ms=now_ms,
            expires_at_ms=expires_at_ms,
            weight=weight,
            limits_json=orjson.dumps(limits_object(limits)).decode() if limits else None,
        )
    )
    return KeyRow(key_id, name, last4, now_ms, expires_at_ms, None, 0, weight, limits)


def find_key(connection: Connection, now_ms: int, digest: bytes) -> KeyRow | None:
    """Find a usable key by its secret's digest; None when it is unknown, revoked or expired."""
    row = connection.execute(select(key).where(key.c.digest == digest)).first()
    if row is None or not hmac.compare_digest(row.digest, digest):
        return None
    if row.revoked_at_ms is not None or (row.expires_at_ms is not None and row.expires_at_ms <= now_ms):
        return None
    return _key_row(row)


def list_keys(connection: Connection, now_ms: int, window: Window) -> Page[KeyRow] | None:
    """List the virtual keys, revoked and expired ones too; None when the cursor is unknown."""
    return read_page(connection, key, window, owned=key.c.id != MASTER_KEY_ID, shown=true(), make=_key_row)


def revoke_key(connection: Connection, now_ms: int, key_id: bytes) -> KeyRow | None:
    """End a key for good; None when there is none. Repeatable. The master key's row is never touched."""
    virtual = (key.c.id == key_id, key.c.id != MASTER_KEY_ID)
    connection.execute(update(key).where(*virtual, key.c.revoked_at_ms.is_(None)).values(revoked_at_ms=now_ms))
    row = connection.execute(select(key).where(*virtual)).first()
    return None if row is None else _key_row(row)


def _key_row(row: Row[Any]) -> KeyRow:
    return KeyRow(
        id=row.id,
        name=row.name,
        last4=row.last4,
        created_at_ms=row.created_at_ms,
        expires_at_ms=row.expires_at_ms,
        revoked_at_ms=row.revoked_at_ms,
        spent_nanousd=row.spent_nanousd,
        weight=row.weight,
        limits=parse_limits(orjson.loads(row.limits_json)) if row.limits_json else {},
    )
