"""The admin routes under `/sim/`: settings, bill, counters, reset, and the trap of sim-redirect."""

import time
from collections.abc import Iterator
from itertools import islice
from typing import Final

import orjson
from pydantic import ValidationError

from providers.simulator import wire
from providers.simulator.bill import Bill
from providers.simulator.connection import Connection
from providers.simulator.refusals import Refusal
from providers.simulator.simulator import Simulator
from providers.simulator.wire import Request

PREFIX: Final = "/sim/"
_LINES_PER_WRITE: Final = 200


def handle_admin(simulator: Simulator, connection: Connection, request: Request) -> None:
    """Serve one request to a `/sim/` path; these need no key, so the port must not be public."""
    match request.method, request.path:
        case "GET", "/sim/settings":
            _reply(connection, request, 200, _settings(simulator))
        case "POST", "/sim/settings":
            _change(simulator, connection, request)
        case "GET", "/sim/stats":
            _reply(connection, request, 200, orjson.dumps(stats(simulator), option=orjson.OPT_NON_STR_KEYS))
        case "GET", "/sim/bill":
            _stream_bill(simulator, connection, request)
        case "POST", "/sim/reset":
            simulator.clear()
            _reply(connection, request, 200, b'{"reset":true}')
        case _, "/sim/trap":
            simulator.tally.trap_hits += 1
            simulator.tally.trap_hits_with_key += request.shows_a_key()
            _reply(connection, request, 200, b'{"trapped":true}')
        case _:
            refusal = Refusal(404, f"Unknown request URL: {request.method} {request.path}.", code="unknown_url")
            _reply(connection, request, 404, refusal.body())


def stats(simulator: Simulator) -> dict[str, object]:
    """Return the counters since the start or the last reset."""
    bill, tally, now_s = simulator.bill, simulator.tally, time.time_ns() // 1_000_000_000
    return {
        "calls": tally.calls,
        "ended": len(bill),
        "by_status": dict(tally.by_status),
        "by_outcome": dict(tally.by_outcome),
        "in_flight": tally.in_flight,
        "max_in_flight": tally.max_in_flight,
        "open_connections": tally.open_connections,
        "billed_calls": bill.billed_calls,
        "billed_nanousd": bill.billed_nanousd,
        "distinct_attempts": bill.distinct_attempts,
        "duplicate_attempts": bill.repeats,
        "trap_hits": tally.trap_hits,
        "trap_hits_with_key": tally.trap_hits_with_key,
        "limits": simulator.traffic.to_json(),
        "per_second": tally.per_second(now_s),
    }


def _settings(simulator: Simulator) -> bytes:
    return simulator.settings.model_dump_json().encode()


def _change(simulator: Simulator, connection: Connection, request: Request) -> None:
    try:
        changes = orjson.loads(request.body)
        if not isinstance(changes, dict):
            raise ValueError("the body must be a JSON object of settings")
        simulator.apply(simulator.settings.changed(changes))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        _reply(connection, request, 400, Refusal(400, f"Settings unchanged. {problems}").body())
    except ValueError as error:
        _reply(connection, request, 400, Refusal(400, f"Settings unchanged: {error}").body())
    else:
        _reply(connection, request, 200, _settings(simulator))


def _stream_bill(simulator: Simulator, connection: Connection, request: Request) -> None:
    connection.write(wire.head(200, "application/x-ndjson", None, keep_alive=request.keep_alive))
    connection.pump(_bill_chunks(simulator.bill), lambda: connection.finish(keep_alive=request.keep_alive))


def _bill_chunks(bill: Bill) -> Iterator[bytes]:
    lines = bill.lines(0, len(bill))
    while block := b"".join(islice(lines, _LINES_PER_WRITE)):
        yield wire.chunk(block)
    yield wire.CHUNK_END


def _reply(connection: Connection, request: Request, status: int, body: bytes) -> None:
    connection.write(wire.head(status, wire.JSON, len(body), keep_alive=request.keep_alive) + body)
    connection.finish(keep_alive=request.keep_alive)
