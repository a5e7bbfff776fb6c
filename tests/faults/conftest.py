"""The fixture of the fault tests: a maker of stands that ends what it started."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from store.schema import migrate
from tests.faults.stand import Stand

MakeStand = Callable[..., Stand]

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.full)])
"""SQLite in every run, PostgreSQL in the full one."""


@pytest.fixture
def make_stand(request: pytest.FixtureRequest) -> Iterator[MakeStand]:
    """Make one stand on the test's `database` parameter, or on SQLite; it is closed after the test."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    url: str = request.getfixturevalue(f"{parameters.get('database', 'sqlite')}_url")
    migrate(url)  # here and not in the stand: it must not run on an event loop
    with ExitStack() as stands:
        yield lambda **options: stands.enter_context(Stand(url, **options))
