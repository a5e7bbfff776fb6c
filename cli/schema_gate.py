"""The schema gate: brings the database to our schema, or refuses to work on another one."""

from cli.failure import CommandError, Exit
from store.database import StoreUnavailable
from store.schema import SchemaAhead, SchemaState, migrate, schema_state

_ADVICE = {
    SchemaState.EMPTY: "has no schema yet: run `laneway migrate` with the same settings, then start again",
    SchemaState.BEHIND: "has the schema of an older version: run `laneway migrate`, then start again",
    SchemaState.AHEAD: "was migrated by a newer version: run that version",
}


def migrate_now(database_url: str) -> None:
    """Bring the schema to this version; raises CommandError. Blocks: not for an event loop."""
    try:
        migrate(database_url)
    except SchemaAhead as error:
        raise CommandError(str(error)) from None
    except StoreUnavailable as error:
        raise _unavailable(error) from None


def require_schema(database_url: str) -> None:
    """Raise CommandError unless the database has exactly our schema. Blocks: not for an event loop."""
    try:
        state = schema_state(database_url)
    except StoreUnavailable as error:
        raise _unavailable(error) from None
    if state is not SchemaState.CURRENT:
        raise CommandError(f"the database {_ADVICE[state]}")


def _unavailable(error: StoreUnavailable) -> CommandError:
    return CommandError(f"the database cannot be used: {error}; start it, or correct DATABASE_URL", Exit.UNREACHABLE)
