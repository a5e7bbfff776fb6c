"""The fixtures of the fault tests: a factory of stands that ends what it started."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.faults.stand import Stand

MakeStand = Callable[..., Stand]

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.full)])
"""SQLite in every run, PostgreSQL in the full one."""


@pytest.fixture
def make_stand(request: pytest.FixtureRequest) -> Iterator[MakeStand]:
    """Make stands on a named database (`sqlite`, `postgres`); each is closed after the test."""
    with ExitStack() as stands:

        def make(database: str = "sqlite", **options: Any) -> Stand:
            url: str = request.getfixturevalue(f"{database}_url")
            return stands.enter_context(Stand(url, **options))

        yield make
