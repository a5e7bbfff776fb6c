"""The encryption key: bodies and files are sealed with it where they are stored, if the operator gives one."""

import base64
import binascii

from cli.failure import CommandError
from cli.settings import Settings
from store.contents import FileContents
from store.database import Database
from store.sealing import KEY_BYTES, Sealer, SealingKey
from store.sealing_keys import bodies_sealed_with, forget_key, remember_key, unknown_keys

VARIABLE = "LANEWAY_ENCRYPTION_KEY"
_NONE = "none"
_HOW_TO = 'make one with "openssl rand -base64 32"'


def find_sealer(settings: Settings) -> Sealer:
    """Read the keys, separated by commas: the first seals, all open; `none` in the first place seals nothing more.

    Raises CommandError for what is no key. Without the variable nothing is sealed.
    """
    words = [word.strip() for word in settings.environ.get(VARIABLE, "").split(",") if word.strip()]
    seals = bool(words) and words[0] != _NONE
    keys = words if seals else words[1:]
    return Sealer([_key(word, number) for number, word in enumerate(keys, 1)], seals=seals)


async def settle_sealer(sealer: Sealer, database: Database, contents: FileContents) -> None:
    """Remember the key that seals. Raises CommandError when something is sealed with a key that is not given.

    A key with which nothing is sealed any more is forgotten: it was taken out of the variable for good.
    """
    for fingerprint in await database.read(unknown_keys, sealer.fingerprints):
        if await database.read(bodies_sealed_with, fingerprint) or await contents.sealed_with(fingerprint):
            raise CommandError(
                f"bodies in this database are encrypted with a key (fingerprint {fingerprint.hex()}) that {VARIABLE} "
                f"does not hold: add that key behind a comma until they are deleted, see docs/privacy.md"
            )
        await database.write(forget_key, fingerprint)
    if sealer.fingerprint is not None:
        await database.write(remember_key, sealer.fingerprint)


def _key(word: str, number: int) -> SealingKey:
    try:
        secret = base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise CommandError(f"{VARIABLE}: key {number} is not the base64 of {KEY_BYTES} bytes: {_HOW_TO}")
    if len(set(secret)) < 8:
        raise CommandError(f"{VARIABLE}: key {number} is not random: {_HOW_TO}")
    return SealingKey(secret)
