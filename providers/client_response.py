"""A provider's response, read to its end."""

from collections.abc import Mapping
from dataclasses import replace

from providers.client_body import BodyNotDecodable, BodyTooLarge, read_body
from providers.client_connection import Response
from providers.client_errors import TransportError
from providers.client_room import BodyRoom
from providers.completion import Answer
from providers.dialects import WireRequest, WireResponse
from providers.dialects.rate_limits import read_rate_limits
from providers.failure import Failure


async def read_whole(response: Response, max_bytes: int, room: BodyRoom) -> WireResponse:
    """Read a response whole. A refusal stays one when its body cannot be read: its status says enough."""
    try:
        body = await read_body(response, response.headers.get("content-encoding", ""), max_bytes, room)
    except (BodyTooLarge, BodyNotDecodable, TransportError):
        if response.status < 300:
            raise
        body = b""
    finally:
        response.close()
    return WireResponse(response.status, response.headers, body)


def marked(outcome: Answer | Failure, wire: WireRequest, headers: Mapping[str, str]) -> Answer | Failure:
    """Note on an outcome what no body says: the fields that were left out, and the limits that the headers tell."""
    limits = read_rate_limits(headers)
    if isinstance(outcome, Answer) and wire.dropped_params:
        outcome = replace(outcome, dropped_params=wire.dropped_params)
    return replace(outcome, limits=limits) if limits else outcome
