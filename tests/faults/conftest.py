"""The fixtures of the fault tests: stands, with an API beside them or without, that end what they started."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from store.schema import migrate
from tests.faults.stand import Stand
from tests.system.asking import asking
from tests.system.conftest import ApiServer

MakeStand = Callable[..., Stand]

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.full)])
"""SQLite in every run, PostgreSQL in the full one."""


_LONGEST = ("test_zoo.py", "test_provider_faults.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests before the others of this folder: at the end one process would be left alone with them."""
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    ours.sort(key=lambda item: item.path.name not in _LONGEST)
    in_order = iter(ours)
    items[:] = [next(in_order) if item.path.parent == Path(__file__).parent else item for item in items]


@pytest.fixture
def make_stand(request: pytest.FixtureRequest) -> Iterator[MakeStand]:
    """Make one stand on the test's `database` parameter, or on SQLite; it is closed after the test."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    url: str = request.getfixturevalue(f"{parameters.get('database', 'sqlite')}_url")
    migrate(url)  # here and not in the stand: it must not run on an event loop
    with ExitStack() as stands:
        yield lambda **options: stands.enter_context(Stand(url, **options))


@pytest.fixture
def laneway(database_url: str) -> Iterator[tuple[Stand, ApiServer]]:
    """A stand with a worker, and an API that makes no calls itself, on each database."""
    with asking(database_url) as both:
        yield both
