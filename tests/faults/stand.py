"""The stand: the servers that a run of batches needs beside its database - a Valkey, simulators - and its workers."""

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

from providers.simulator.behaviours import Behaviour
from providers.simulator.process import SimulatorProcess
from tests.faults.order import Order
from tests.faults.worker_child import work
from tests.folders import roomy_folder
from tests.nursery import nursery
from tests.server_process import make_folder, remove_folder
from tests.valkey_server import ValkeyServer
from workers.settings import WorkerSettings

STEADY = WorkerSettings(
    lease_ms=300_000, renew_ms=1_000, sweep_ms=500, grace_ms=20_000, rescue_jitter_ms=100,
    suspect_pause_ms=500, keeper_lease_ms=300_000, closing_grace_ms=1_000,
)  # fmt: skip
"""The times of most tests. The leases are so long that a machine which stalls costs no living worker its calls; what a
dead one held is given up by `Caller.let_lapse`."""
MORTAL = replace(
    STEADY, lease_ms=10_000, keeper_lease_ms=10_000, sweep_ms=1_000, rescue_jitter_ms=500, suspect_pause_ms=20_000
)
"""For tests in which workers die and their leases run out by themselves."""
_START_S = 120.0
_PRICES = {"sim-small": ("0.15", "0.60"), "sim-large": ("2.50", "10.00"), "sim-embed": ("0.02", "0")}


_PATIENT = {"breaker": {"calls": 100_000, "consecutive": 100_000}, "identical_failures": 40}
"""Tests that count calls mean their own rules for tries; those of breakers give their own."""


@dataclass(slots=True)
class Worker:
    """A worker child that was started, running or not."""

    order: Order
    process: BaseProcess

    @property
    def running(self) -> bool:
        return self.process.is_alive()

    @property
    def pid(self) -> int:
        """Its process id; only to be used while it is known to run."""
        assert self.process.pid is not None
        return self.process.pid

    @property
    def stopped(self) -> bool:
        """Whether it was paused by SIGSTOP."""
        return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)

    @property
    def connections(self) -> int:
        """How many TCP connections it has open to its simulator; 0 when it is gone."""
        port = int(self.order.simulator_url.removesuffix("/v1").rpartition(":")[2])
        try:
            open_now = psutil.Process(self.pid).net_connections("tcp")
        except psutil.Error:
            return 0
        return sum(1 for each in open_now if each.raddr and each.raddr.port == port and each.status == "ESTABLISHED")

    @property
    def peak_rss_bytes(self) -> int:
        """Its largest resident size so far, where the system keeps it (Linux), else the present one."""
        status = Path(f"/proc/{self.pid}/status")
        if not status.exists():
            return int(psutil.Process(self.pid).memory_info().rss)
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024

    def kill(self) -> None:
        """End it as a crash would, and wait until it is gone."""
        if self.running:
            self.process.kill()
        self.process.join(_START_S)

    def terminate(self) -> None:
        """Ask it to drain and end; returns at once."""
        if self.running:
            self.process.terminate()

    def exit_code(self, timeout_s: float) -> int | None:
        """Wait for its end; None when it is still running then."""
        self.process.join(timeout_s)
        return self.process.exitcode


@dataclass
class Stand:
    """Everything that a run needs, each piece this stand's own."""

    database_url: str
    """Of a database with the newest schema."""
    models: Mapping[str, Any] = field(default_factory=dict)
    """The `models` section of the configuration."""
    providers: Sequence[str] = ("sim",)
    """Provider names; each has a simulator of its own."""
    slots: int = 50
    """Calls in flight to each provider in each worker."""
    settings: WorkerSettings = STEADY
    call_timeout: str = "30s"
    routing: Mapping[str, Any] = field(default_factory=dict)
    webhooks: Mapping[str, Any] = field(default_factory=dict)
    natives: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By provider, where its `natives` are not the catalogue's."""

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lw-stand-", dir=roomy_folder()))
        self.log = self.folder / "workers.log"
        self.log.touch()
        self._valkey_folder = make_folder()
        self.valkey = ValkeyServer(self._valkey_folder)
        self.simulators: dict[str, SimulatorProcess] = {}
        self.workers: list[Worker] = []

    def __enter__(self) -> "Stand":
        try:
            self.valkey.start()
            for name in self.providers:
                self.simulators[name] = SimulatorProcess.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started."""
        for worker in self.workers:
            worker.kill()
        for simulator in self.simulators.values():
            simulator.stop()
        self.valkey.kill()
        remove_folder(self._valkey_folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def simulator(self) -> SimulatorProcess:
        """The first provider's simulator."""
        return self.simulators[self.providers[0]]

    @property
    def files(self) -> Path | None:
        """Where file contents live; None is in the database."""
        return self.folder / "files" if self.database_url.startswith("sqlite") else None

    @property
    def state_url(self) -> str:
        """The Valkey database beside the broker's."""
        return f"{self.valkey.url.removesuffix('/0')}/1"

    def config(self) -> dict[str, Any]:
        """The configuration as its file would hold it. Every model has the simulator's price."""
        return {
            "providers": {name: self._provider(name, simulator.url) for name, simulator in self.simulators.items()},
            "models": dict(self.models),
            "routing": _PATIENT | dict(self.routing),
            "webhooks": dict(self.webhooks),
        }

    def order(self, name: str, **changes: Any) -> Order:
        """What a child of this name is told."""
        told = {"settings": self.settings, **changes}
        return Order(
            name=name,
            database_url=self.database_url,
            files=str(self.files) if self.files else None,
            broker_url=self.valkey.url,
            state_url=self.state_url,
            config=self.config(),
            log=str(self.log),
            simulator_url=self.simulator.url,
            **told,
        )

    def start_worker(self, *, settings: WorkerSettings | None = None, **changes: Any) -> Worker:
        """Start a worker child; `changes` are fields of its order."""
        name = f"worker-{len(self.workers) + 1}"
        order = self.order(name, settings=settings or self.settings, **changes)
        process = nursery().Process(target=work, args=(order,), name=name, daemon=True)
        process.start()
        self.workers.append(Worker(order, process))
        return self.workers[-1]

    def start_workers(self, count: int, **changes: Any) -> list[Worker]:
        """Start some workers alike."""
        return [self.start_worker(**changes) for _ in range(count)]

    def run_child(self, act: Callable[..., None], *args: object) -> int | None:
        """Run a function in a process of its own; returns its exit code."""
        process = nursery().Process(target=act, args=args, daemon=True)
        process.start()
        process.join(_START_S)
        code: int | None = process.exitcode
        return code

    def running(self) -> list[Worker]:
        """The workers that have not ended."""
        return [worker for worker in self.workers if worker.running]

    def bill(self) -> list[dict[str, Any]]:
        """Every call that reached a simulator, once none is under way any more."""
        for simulator in self.simulators.values():
            simulator.wait_idle(120)
        return [row for simulator in self.simulators.values() for row in simulator.bill()]

    def stop_workers(self, timeout_s: float = 120.0) -> list[int | None]:
        """Drain all running workers; returns their exit codes."""
        asked = self.running()
        for worker in asked:
            worker.terminate()
        end_s = time.monotonic() + timeout_s
        return [worker.exit_code(max(end_s - time.monotonic(), 0.1)) for worker in asked]

    def log_tail(self) -> str:
        """The last 6,000 characters that the workers logged."""
        return self.log.read_text(errors="replace")[-6_000:]

    def _provider(self, name: str, url: str) -> dict[str, Any]:
        prices = {model: {"input": price[0], "output": price[1]} for model, price in _PRICES.items()}
        return {
            "type": "simulator",
            "base_url": url,
            "slots": self.slots,
            "timeout": self.call_timeout,
            "prices": prices | {model: prices["sim-small"] for model in _priced_as_small()},
            **({"natives": list(self.natives[name])} if name in self.natives else {}),
        }


def _priced_as_small() -> list[str]:
    """The simulator's other models: each costs what sim-small costs."""
    return [name for name in Behaviour if name not in _PRICES]
