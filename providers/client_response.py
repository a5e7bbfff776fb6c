"""A provider's response, read to its end."""

from collections.abc import Mapping
from dataclasses import replace

import httpx

from providers.client_body import BodyNotDecodable, BodyTooLarge, read_body
from providers.completion import Answer
from providers.dialects import WireRequest, WireResponse
from providers.dialects.rate_limits import read_rate_limits
from providers.failure import Failure


def headers_of(response: httpx.Response) -> dict[str, str]:
    """Return the headers, names in lower case; of a repeated one the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}


async def read_whole(response: httpx.Response, max_bytes: int) -> WireResponse:
    """Read a response whole. A refusal stays one when its body cannot be read: its status says enough."""
    headers = headers_of(response)
    assert isinstance(response.stream, httpx.AsyncByteStream)
    try:
        body = await read_body(response.stream, headers.get("content-encoding", ""), max_bytes)
    except (BodyTooLarge, BodyNotDecodable, httpx.TransportError):
        if response.status_code < 300:
            raise
        body = b""
    finally:
        await response.stream.aclose()
    return WireResponse(response.status_code, headers, body)


def marked(outcome: Answer | Failure, wire: WireRequest, headers: Mapping[str, str]) -> Answer | Failure:
    """Note on an outcome what no body says: the fields that were left out, and the limits that the headers tell."""
    limits = read_rate_limits(headers)
    if isinstance(outcome, Answer) and wire.dropped_params:
        outcome = replace(outcome, dropped_params=wire.dropped_params)
    return replace(outcome, limits=limits) if limits else outcome
