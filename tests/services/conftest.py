"""Fixtures of the service tests: the simulator of one process, and databases with the newest schema."""

from collections.abc import Iterator

import pytest

from providers.simulator.process import SimulatorProcess
from store.schema import migrate


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    """A simulator that `worker_world.world` resets for every test."""
    with SimulatorProcess.start() as simulator:
        yield simulator


@pytest.fixture
def sqlite(sqlite_url: str) -> str:
    """A SQLite database with the newest schema."""
    migrate(sqlite_url)
    return sqlite_url


@pytest.fixture
def either(database_url: str) -> str:
    """Both databases in turn, with the newest schema."""
    migrate(database_url)
    return database_url
