"""The secrets of virtual keys: what a caller holds, and the digest that is stored of it.

A secret is `lw-`, 32 random bytes in base62 (43 characters) and their CRC-32 in base62 (6 characters), so that a typing
error is told apart without a look-up. Stored is only its HMAC-SHA256 under the server's pepper: 256 random bits need no
slow hash, and a stolen database is useless without the pepper.
"""

import hmac
import secrets
import string
import zlib

_PREFIX = "lw-"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_BYTES = 32
_RANDOM_CHARACTERS = 43
_CHECK_CHARACTERS = 6


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
