"""The API child: an API in a process of its own beside a stand, for what several of them must agree on."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from providers.catalogue import load_catalogue
from router.config import parse_config
from router.routes import build_routes
from tests.faults.order import Order
from tests.faults.sabotages import switch_off
from tests.faults.stand import Stand
from tests.nursery import nursery
from tests.patience import be_patient
from tests.system.conftest import ApiServer

_START_S = 120


def serve(order: Order, pipe: Connection) -> None:
    """Be an API until the other end of the pipe is closed; says its address once it serves."""
    be_patient()
    for sabotage in order.sabotages:
        switch_off(sabotage)
    routes = build_routes(parse_config(order.config, {}), load_catalogue(), {})
    api = ApiServer(
        order.database_url, order.state_url, Path(order.log).parent, broker_url=order.broker_url, routes=routes
    )
    api.start()
    pipe.send(api.url)
    try:
        pipe.recv()
    except EOFError:
        api.stop()


@contextmanager
def api_children(stand: Stand, count: int, *, sabotages: Sequence[str] = ()) -> Iterator[list[str]]:
    """Start some APIs that make no calls themselves; yields their addresses. They end with the context."""
    with ExitStack() as stack:
        pipes = []
        for number in range(count):
            here, there = nursery().Pipe()
            order = stand.order(f"api-{number}", sabotages=tuple(sabotages))
            process = nursery().Process(target=serve, args=(order, there), daemon=True)
            process.start()
            there.close()
            stack.callback(process.join, _START_S)
            stack.enter_context(here)
            pipes.append(here)
        for pipe in pipes:
            assert pipe.poll(_START_S), "an API did not start"
        yield [pipe.recv() for pipe in pipes]
