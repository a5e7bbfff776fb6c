"""The databases that the suite runs on: every test of stored things runs on SQLite and on PostgreSQL."""

from pathlib import Path

import pytest


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of a SQLite database whose file does not exist yet."""
    return f"sqlite:///{tmp_path}/laneway.db"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a new, empty database, once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
