"""The server: listens, says where, serves until it is told to stop."""

import asyncio
import gc
import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from providers.simulator.admin import PREFIX, handle_admin
from providers.simulator.bill_file import BillFile
from providers.simulator.connection import Connection
from providers.simulator.settings import Settings
from providers.simulator.simulator import Simulator
from providers.simulator.wire import Request

_PARENT_CHECK_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """What cannot change while the simulator runs."""

    host: str = "127.0.0.1"
    port: int = 0
    """TCP port; 0 lets the system choose."""
    api_key: str | None = None
    """Key that calls must send as their bearer token; null accepts all."""
    bill_path: Path | None = None
    """File the bill is appended to; null keeps it in memory only."""
    follow_parent: bool = False
    """Whether to stop when the process that started this one is gone."""


def run(settings: Settings, options: Options) -> None:
    """Serve until SIGTERM or SIGINT; raises OSError when the port or the bill's file cannot be had."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, options))


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


async def _serve(settings: Settings, options: Options) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    simulator = Simulator(settings, api_key=options.api_key, loop=loop)
    if options.bill_path is not None:
        simulator.bill_file = BillFile(options.bill_path, simulator.bill, loop)
    server = await loop.create_server(lambda: _connection(simulator), options.host, options.port, backlog=4_096)
    _announce(server.sockets[0])
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    watch = asyncio.create_task(_follow(os.getppid(), stop)) if options.follow_parent else None
    await stop.wait()
    if watch is not None:
        watch.cancel()
    server.close()
    simulator.close()


def _connection(simulator: Simulator) -> Connection:
    def handle(connection: Connection, request: Request) -> None:
        if request.path.startswith(PREFIX):
            handle_admin(simulator, connection, request)
        else:
            simulator.handle(connection, request)

    def count(change: int) -> None:
        simulator.tally.open_connections += change

    return Connection(handle, count)


def _announce(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    place = f"[{host}]" if ":" in host else host
    print(orjson.dumps({"url": f"http://{place}:{port}/v1", "pid": os.getpid()}).decode(), flush=True)


async def _follow(parent: int, stop: asyncio.Event) -> None:
    """Set `stop` once the parent process is gone; asks again every second, as there is no signal for it."""
    while os.getppid() == parent:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PARENT_CHECK_S):
                await stop.wait()
    stop.set()
