"""The worker child: a real worker process, with the crash or the sabotage that its order asks for.

Children are forked from a server process that has imported everything once, which makes a restart as quick as the
tests want it. A child ends at once when the test process is gone, however that ended.
"""

import asyncio
import json
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from pathlib import Path

import uvloop

from providers.catalogue import load_catalogue
from router.config import parse_config
from router.routes import build_routes
from store.contents import DatabaseContents, FileContents, LocalContents
from store.database import Database, open_database
from tests.faults.failpoints import arm
from tests.faults.order import Order
from tests.faults.sabotages import switch_off
from tests.patience import be_patient
from workers.calling import CallRules
from workers.process import WorkerDependencies, run_worker

PEPPER = b"pepper-of-the-tests"
_LAG_S = 0.02


def work(order: Order) -> None:
    """Be a worker until SIGTERM or SIGINT; the exit code is 0 after a clean drain."""
    be_patient()
    _log_to(order.log)
    threading.Thread(target=_follow_parent, daemon=True).start()
    if order.failpoint is not None:
        arm(order.failpoint, order)
    for sabotage in order.sabotages:
        switch_off(sabotage)
    uvloop.run(_work(order))


async def _work(order: Order) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gauge = asyncio.create_task(_measure(Path(order.gauges))) if order.gauges else None
    config = parse_config(order.config, {})
    database = open_database(order.database_url)
    dependencies = WorkerDependencies(
        database=database,
        contents=_contents(order, database),
        rules=CallRules.of(build_routes(config, load_catalogue(), {}), config.routing),
        broker_url=order.broker_url,
        state_url=order.state_url,
        pepper=PEPPER,
        limits=config.batches,
        webhooks=config.webhooks,
        settings=order.settings,
        queues=order.queues,
        version=order.name,
    )
    await run_worker(dependencies, stop)
    if gauge is not None:
        gauge.cancel()
    await database.close()


def _contents(order: Order, database: Database) -> FileContents:
    return LocalContents(Path(order.files)) if order.files else DatabaseContents(database)


def _log_to(path: str) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("dramatiq").setLevel(logging.ERROR)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


async def _measure(path: Path) -> None:
    """Write how late the event loop wakes, and how long it worked meanwhile, once a second.

    Both in milliseconds, as the 99th percentile of all samples; work is the loop's own time on a processor.
    """
    lags: list[float] = []
    busy: list[float] = []
    while True:
        asked, began = time.monotonic(), time.thread_time()
        await asyncio.sleep(_LAG_S)
        lags.append((time.monotonic() - asked - _LAG_S) * 1000)
        busy.append((time.thread_time() - began) * 1000)
        if len(lags) % 50 == 0:
            path.write_text(json.dumps({"lag_p99_ms": _p99(lags), "busy_p99_ms": _p99(busy)}))


def _p99(samples: list[float]) -> float:
    return sorted(samples)[len(samples) * 99 // 100]
