"""A provider's own id of a call: the thing to quote to its support."""

from collections.abc import Mapping

REQUEST_ID_HEADERS = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid", "cf-ray")


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the id from whichever header holds one, None where there is none or it is not a plain short word."""
    for name in REQUEST_ID_HEADERS:
        value = headers.get(name)
        if value and len(value) <= 200 and value.isascii() and value.isprintable():
            return value
    return None
