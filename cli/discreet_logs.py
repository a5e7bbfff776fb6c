"""Discreet logs: an exception is logged by its kind and its place, never by its words.

The text of an exception may hold what it stumbled over: a database's driver quotes the values of a failed statement,
a parser the text that it could not read. Prompts, answers and secrets are among them.
"""

import asyncio
import logging
import traceback
from types import TracebackType
from typing import Any

from sqlalchemy.exc import DBAPIError

_log = logging.getLogger("laneway")
_Thrown = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class DiscreetFormatter(logging.Formatter):
    """Formats a record as usual, and its exception without what it says."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record. What another handler has made of its exception is not taken over."""
        record.exc_text = None
        return super().format(record)

    def formatException(self, ei: _Thrown) -> str:
        """Spell an exception and what led to it."""
        return "" if ei[1] is None else told(ei[1])


def told(error: BaseException) -> str:
    """Spell where an exception came from and of what kind it is, after those that led to it."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\nwhich led to:\n".join(_one(each) for each in reversed(chain))


def log_uncaught(_kind: type[BaseException], error: BaseException | None, _place: TracebackType | None) -> None:
    """For `sys.excepthook`: what ends a process or a thread is a record like all others."""
    _log.critical("ended by an error that nothing caught", exc_info=error)


def log_unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """For an event loop: asyncio's own handler writes out the failed task, its exception's words among it."""
    _log.error("%s", context["message"], exc_info=context.get("exception"))


def _one(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    lines = [f"{frames}{_name(error)}"]
    if isinstance(error, BaseExceptionGroup):
        lines += [f"of which one:\n{told(each)}" for each in error.exceptions]
    return "\n".join(lines)


def _name(error: BaseException) -> str:
    """The kind of an exception, with what is surely harmless and helps: an error number, a database's code."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{kind}: {error.strerror}"
    if isinstance(error, DBAPIError) and error.orig is not None:
        code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
        return f"{kind}: {type(error.orig).__qualname__} {code or ''}".rstrip()
    return kind
