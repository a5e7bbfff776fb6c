"""The header `Idempotency-Key`: read here, decided in the store."""

import hashlib
import hmac

from starlette.datastructures import Headers

from api.errors import NO_RETRY, ApiError, bad_request
from store.idempotency import IdempotencyKey

HEADER = "Idempotency-Key"
REPLAYED = {"idempotent-replayed": "true"}
"""On an answer that an earlier request with the same key has made."""
_MOST_CHARACTERS = 255


def read_idempotency(headers: Headers, key_id: bytes, route: str, body_hash: bytes) -> IdempotencyKey | None:
    """Read the key of a request; None without one. Raises ApiError 400 for one that cannot be a key."""
    text = headers.get(HEADER)
    if text is None:
        return None
    if not 0 < len(text) <= _MOST_CHARACTERS or not text.isprintable():
        message = f"The {HEADER} should be 1 to {_MOST_CHARACTERS} printable characters."
        raise bad_request(message, param=HEADER, code="invalid_value")
    return IdempotencyKey(key_id, route, hashlib.sha256(text.encode()).digest(), body_hash)


def hash_of(pepper: bytes, route: str, body: bytes) -> bytes:
    """What two requests have in common that ask for the same thing: 32 bytes.

    Only with the pepper can anybody find out by them whether a guessed prompt was asked.
    """
    digest = hashlib.sha256(route.encode())
    digest.update(b"\n")
    digest.update(body)
    return hmac.digest(pepper, digest.digest(), "sha256")


def reused_key() -> ApiError:
    """Refuse a key that stands for another request already."""
    message = f"This {HEADER} was used for another request less than 24 hours ago. Use a new one for a new request."
    return ApiError(409, message, code="idempotency_key_reused", param=HEADER, headers=NO_RETRY)
