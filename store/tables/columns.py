"""Column shapes that the tables share: ids, milliseconds, nano-dollars, counters, JSON text."""

from typing import Any

from sqlalchemy import BigInteger, Dialect, LargeBinary, Text
from sqlmodel import Field


class RawBytes(LargeBinary):
    """Bytes handed to the driver as they are: both drivers take and give `bytes`, and wrapping each costs 9 % of the
    CPU of a batch job."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        return None


ID = RawBytes(16)
"""A uuid7, 16 bytes."""


def id_(**options: Any) -> Any:
    """A required 16-byte id."""
    return Field(sa_type=ID, **options)


def optional_id(**options: Any) -> Any:
    """A 16-byte id that may be null."""
    return Field(default=None, sa_type=ID, nullable=True, **options)


def big(default: int = 0, **options: Any) -> Any:
    """A required 64-bit integer: milliseconds, nano-dollars, tokens, bytes or a count."""
    return Field(default=default, sa_type=BigInteger, sa_column_kwargs={"server_default": str(default)}, **options)


def optional_big(**options: Any) -> Any:
    """A 64-bit integer that may be null."""
    return Field(default=None, sa_type=BigInteger, nullable=True, **options)


def optional_text(**options: Any) -> Any:
    """Text of any length that may be null."""
    return Field(default=None, sa_type=Text, nullable=True, **options)
