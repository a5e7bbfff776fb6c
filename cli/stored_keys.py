"""Virtual keys straight in the database, for whoever holds its address and the pepper."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from api.keys import key_object
from cli.failure import CommandError, Exit
from cli.key_ring import KeyWish, no_such_key
from cli.pepper import find_pepper, fingerprint
from cli.schema_gate import require_schema
from cli.settings import Settings
from store.database import Database, StoreUnavailable, open_database
from store.ids import Prefix, new_id, raw_id
from store.keys import KeyRow, create_key, digest, list_keys, make_secret, revoke_key
from store.page import Window
from store.pepper import settle_pepper
from store.webhook_secret import key_secret

T = TypeVar("T")

_PAGE = 100


class StoredKeys:
    """Keys straight in the database of these settings."""

    def __init__(self, settings: Settings) -> None:
        """Refuse a database without our schema."""
        require_schema(settings.database_url)
        self._settings = settings

    def create(self, wish: KeyWish) -> dict[str, Any]:
        name = wish.name
        if not name.strip() or len(name) > 255 or not name.isprintable():
            raise CommandError("a key's name has 1 to 255 printable characters")
        pepper = find_pepper(self._settings, make=False)
        secret, key_id = make_secret(), new_id()

        async def work(database: Database) -> KeyRow:
            if not await database.write(settle_pepper, fingerprint(pepper)):
                raise CommandError(
                    "the pepper is not the one that this database was set up with: the key would not work"
                )
            return await database.write(
                create_key,
                key_id=key_id,
                name=name,
                digest=digest(pepper, secret),
                last4=secret[-4:],
                expires_at_ms=None if wish.expires_at_s is None else wish.expires_at_s * 1000,
                weight=wish.weight,
                limits=wish.limits,
            )

        return {**key_object(self._run(work)), "secret": secret, "webhook_secret": key_secret(pepper, key_id)}

    def list(self) -> list[dict[str, Any]]:
        async def work(database: Database) -> list[KeyRow]:
            rows: list[KeyRow] = []
            after: bytes | None = None
            while page := await database.read(list_keys, Window(after, _PAGE)):
                rows += page.items
                if not page.has_more:
                    break
                after = rows[-1].id
            return rows

        return [key_object(row) for row in self._run(work)]

    def revoke(self, key_id: str) -> dict[str, Any]:
        raw = raw_id(Prefix.KEY, key_id)

        async def work(database: Database) -> KeyRow | None:
            return None if raw is None else await database.write(revoke_key, raw)

        row = self._run(work)
        if row is None:
            raise no_such_key(key_id)
        return key_object(row)

    def _run(self, work: Callable[[Database], Awaitable[T]]) -> T:
        async def opened() -> T:
            database = open_database(self._settings.database_url)
            try:
                return await work(database)
            finally:
                await database.close()

        try:
            return asyncio.run(opened())
        except StoreUnavailable as error:
            raise CommandError(f"the database cannot be used: {error}", Exit.UNREACHABLE) from None
