"""Column shapes for the migrations. Released versions are built from them, so a shape is added, never changed."""

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Text
from sqlalchemy import text as sql


def blob(name: str, length: int | None = None, *, nullable: bool = False) -> Column[Any]:
    """Bytes; 16 of them are an id, 32 a digest."""
    return Column(name, LargeBinary(length), nullable=nullable)


def big(name: str) -> Column[Any]:
    """A required 64-bit integer; 0 where nothing is given."""
    return Column(name, BigInteger, server_default="0", nullable=False)


def optional_big(name: str) -> Column[Any]:
    """A 64-bit integer that may be null."""
    return Column(name, BigInteger, nullable=True)


def small(name: str, *, nullable: bool = False, default: int | None = None) -> Column[Any]:
    """A 32-bit integer."""
    return Column(name, Integer, server_default=None if default is None else str(default), nullable=nullable)


def text(name: str, length: int | None = None, *, nullable: bool = False) -> Column[Any]:
    """Text of at most `length` characters, or of any length."""
    return Column(name, Text() if length is None else String(length), nullable=nullable)


def create_index(name: str, on: str, columns: list[str], *, unique: bool = False, where: str | None = None) -> None:
    """Create an index on a table; with `where`, over those rows only."""
    partial: dict[str, Any] = {} if where is None else {"sqlite_where": sql(where), "postgresql_where": sql(where)}
    op.create_index(name, on, columns, unique=unique, **partial)
