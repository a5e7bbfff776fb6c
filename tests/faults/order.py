"""The order: everything that a worker process of the fault tests is told when it starts."""

from dataclasses import dataclass, field
from typing import Any

from workers.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class Order:
    """Sent to a worker child; plain values only, as it travels between processes."""

    name: str
    """The child's name; it stands in the `version` column of its `worker` row, so that a test knows whose row it is."""
    database_url: str
    files: str | None
    """Folder of the files' contents; None keeps them in the database."""
    broker_url: str
    state_url: str
    config: dict[str, Any]
    """The configuration as its file would hold it."""
    settings: WorkerSettings
    log: str
    """File that the child's log is appended to."""
    simulator_url: str
    """The simulator that failpoints watch."""
    queues: frozenset[str] | None = None
    failpoint: str | None = None
    """Name of the point at which the child ends itself, see `tests.faults.failpoints`."""
    jobs: int = 0
    """How many jobs a failpoint waits for before it strikes."""
    sabotages: tuple[str, ...] = field(default=())
    """Mechanisms to switch off, see `tests.faults.sabotages`."""
    gauges: str | None = None
    """File in which the child leaves its loop lag; None measures nothing."""
