"""Work on the database itself, for whoever holds its address: no server runs, no key is asked for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from api.errors import ApiError
from cli.failure import CommandError, Exit
from cli.schema_gate import require_schema
from cli.settings import Settings
from store.database import Database, StoreUnavailable, open_database
from store.page import Page, Window

T = TypeVar("T")
_PAGE = 100


def at_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """Do some work on the database of these settings. Raises CommandError: a refusal in the API's own words."""
    require_schema(settings.database_url)

    async def opened() -> T:
        database = open_database(settings.database_url)
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        return asyncio.run(opened())
    except StoreUnavailable as error:
        raise CommandError(f"the database cannot be used: {error}", Exit.UNREACHABLE) from None
    except ApiError as error:
        raise CommandError(error.message, Exit.NOT_FOUND if error.status == 404 else Exit.USAGE) from None


async def every(read: Callable[[Window], Awaitable[Page[T] | None]], id_of: Callable[[T], bytes], most: int) -> list[T]:
    """Read a list page by page, at most so many of it."""
    items: list[T] = []
    while len(items) < most:
        page = await read(Window(id_of(items[-1]) if items else None, min(_PAGE, most - len(items))))
        items += page.items if page else ()
        if page is None or not page.has_more:
            break
    return items
