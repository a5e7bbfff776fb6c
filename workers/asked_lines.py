"""Asked lines: what the lines of an input file ask for, as it is stored, before anybody plans where they go."""

from collections.abc import Iterator
from typing import NamedTuple

import orjson

from router.batch_line import InputError, Request, parse_line
from router.request_bounds import RequestBounds, bounds_of
from router.routing import FailoverPolicy
from store.content_lines import Lines
from workers.leaders import Leaders


class AskedLine(NamedTuple):
    """One request, without the fields of its body: thousands of them wait at a time."""

    number: int
    """1-based among the requests of the file."""
    custom_id: str
    model: str
    failover: FailoverPolicy | None
    fault: InputError | None
    """Why it cannot be served, as `router.batch_line.Request` has it."""
    service_tier: str | None
    body: bytes
    bounds: RequestBounds
    leader: int | None
    """The number of the line before it whose call answers it."""


def requests_of(lines: Lines, endpoint: str) -> Iterator[Request]:
    """Read some lines of a checked file; what is no request any more is left out, as blank lines are."""
    parsed = (parse_line(number, line, endpoint) for number, line in lines)
    return (request for request in parsed if isinstance(request, Request))


def asked_lines(lines: Lines, endpoint: str, before: int, leaders: Leaders | None = None) -> list[AskedLine]:
    """Read some lines of a checked file, in which so many requests come before them.

    No work for the event loop: bodies may be large. Each is let go as soon as it is written.
    """
    requests = enumerate(requests_of(lines, endpoint), before + 1)
    if leaders is None:
        return [asked_line(number, each) for number, each in requests]
    return [asked_line(number, each, leaders.leader_of(number, each)) for number, each in requests]


def asked_line(number: int, request: Request, leader: int | None = None) -> AskedLine:
    """Write a request's body and measure it."""
    _, custom_id, model, fields, failover, fault = request
    body, tier = orjson.dumps(fields), fields.get("service_tier")
    tier = tier if type(tier) is str else None
    return AskedLine(number, custom_id, model, failover, fault, tier, body, bounds_of(fields, body), leader)
