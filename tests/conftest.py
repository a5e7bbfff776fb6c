"""The suite's options and fixtures: a real Valkey, both databases, and the switch for long fault tests."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.folders import roomy_folder
from tests.patience import be_patient, be_patient_with_databases

pytest_plugins = ("tests.valkey_server", "tests.postgres_server", "tests.databases")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-full", action="store_true", help="run the long fault tests too (also with FAULTS=full)")
    parser.addoption("--results", metavar="FILE", help="write what the fault tests came to into this page")


def pytest_configure(config: pytest.Config) -> None:
    """Judge no property by how long an example takes, try the same examples in every run, and write to memory."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    settings.register_profile("laneway", deadline=None, derandomize=True, database=None, suppress_health_check=slow)
    settings.load_profile("laneway")
    be_patient()
    be_patient_with_databases()
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(roomy_folder()))  # where `tmp_path` is


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked `full` unless they are asked for."""
    if config.getoption("--run-full") or os.environ.get("FAULTS") == "full":
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("full")]
