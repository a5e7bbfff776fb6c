"""Logs tell the kind and the place of an exception, never its words."""

import asyncio
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import orjson
import pytest
from sqlalchemy.exc import DBAPIError

from cli.discreet_logs import DiscreetFormatter, log_uncaught, log_unhandled
from store.compiled import wrapped
from tests.laneway_up import clean_environ

CANARY = "canary-Zx81-of-a-prompt"


@pytest.fixture
def written() -> Iterator[StringIO]:
    """What is logged, as `serve` and `worker` write it."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(DiscreetFormatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def parse() -> None:
    orjson.loads(f'{{"messages": "{CANARY}')


def say_it() -> None:
    raise ValueError(CANARY)


def chained() -> None:
    try:
        say_it()
    except ValueError:
        raise RuntimeError(CANARY) from KeyError(CANARY)


def in_a_group() -> None:
    raise ExceptionGroup(CANARY, [ValueError(CANARY), KeyError(CANARY)])


def in_the_database() -> None:
    raise wrapped(sqlite3.IntegrityError(f"NOT NULL constraint failed: {CANARY}"))


@pytest.mark.parametrize("fail", [parse, say_it, chained, in_a_group, in_the_database])
def test_an_exception_is_logged_without_its_words(fail: object, written: StringIO) -> None:
    try:
        fail()  # type: ignore[operator]
    except Exception:
        logging.getLogger("workers.test").exception("it failed")
    text = written.getvalue()
    assert CANARY not in text
    assert "it failed" in text
    assert fail.__name__ in text  # type: ignore[attr-defined]


def test_what_led_to_it_is_told_by_kind(written: StringIO) -> None:
    try:
        chained()
    except RuntimeError as error:
        log_uncaught(type(error), error, error.__traceback__)
    text = written.getvalue()
    assert text.index("builtins.KeyError") < text.index("builtins.RuntimeError")
    assert "which led to" in text
    assert CANARY not in text


def test_codes_of_the_system_and_of_the_database_are_told(written: StringIO) -> None:
    class Refused(Exception):
        sqlstate = "23505"

    for error in (
        FileNotFoundError(2, "No such file or directory", CANARY),
        DBAPIError(CANARY, {"body": CANARY}, Refused(CANARY)),
    ):
        logging.getLogger("workers.test").error("failed", exc_info=error)
    text = written.getvalue()
    assert "No such file or directory" in text
    assert "23505" in text
    assert CANARY not in text


async def test_a_failed_task_that_nobody_awaits_is_told_without_its_words(written: StringIO) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_unhandled)

    async def fail() -> None:
        say_it()

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    text = written.getvalue()
    assert "builtins.ValueError" in text
    assert "say_it" in text
    assert CANARY not in text


def test_a_cause_that_is_its_own_cause_ends(written: StringIO) -> None:
    first, second = ValueError(CANARY), KeyError(CANARY)
    first.__cause__, second.__cause__ = second, first
    logging.getLogger("workers.test").error("round", exc_info=first)
    assert written.getvalue().count("builtins.") == 2
    assert sys.exc_info() == (None, None, None)


def test_libraries_never_tell_more_than_warnings(tmp_path: Path) -> None:
    """At a level below, some of them write rows, requests or credentials."""
    script = (
        "import logging\nfrom cli.process import set_up_logs\nfrom cli.settings import Flags, load_settings\n"
        "set_up_logs(load_settings(Flags(), {'LANEWAY_LOG_LEVEL': 'debug'}))\n"
        "for name in ('store.x', 'laneway.serve', 'sqlalchemy.engine', 'botocore', 'redis', 'dramatiq', 'uvicorn'):\n"
        "    print(logging.getLogger(name).getEffectiveLevel())\n"
        "logging.getLogger('workers.engine').debug('heard')\n"
        f"raise ValueError({CANARY!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=tmp_path,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["10", "10", "30", "30", "30", "30", "30"]
    assert "DEBUG workers.engine: heard" in done.stderr
    assert "builtins.ValueError" in done.stderr
    assert CANARY not in done.stderr
