"""The models of the simulator: what each model name makes it do."""

from enum import StrEnum
from typing import Final


class Behaviour(StrEnum):
    """A model name the simulator serves; any other name is answered 404 `model_not_found`."""

    SMALL = "sim-small"
    """A good chat model, cheap."""
    LARGE = "sim-large"
    """A good chat model, dear."""
    EMBED = "sim-embed"
    """A good embedding model, and the only one without a fault."""
    SLOW = "sim-slow"
    """A good answer after `slow_ms` (5 s)."""
    HANG = "sim-hang"
    """Reads the request and never answers."""
    DRIP = "sim-drip"
    """A good answer, one byte every `drip_ms` (1 s): passes any timeout on single reads."""
    RATE_LIMITED = "sim-429"
    """Always 429 with `retry-after`."""
    SERVER_ERROR = "sim-500"
    """Always 500."""
    UNAVAILABLE = "sim-503"
    """Always 503."""
    OVERLOADED = "sim-529"
    """Always 529, the status of an overloaded vendor."""
    BAD_REQUEST = "sim-400"
    """Always 400."""
    UNAUTHENTICATED = "sim-401"
    """Always 401, as for a wrong key."""
    PAYMENT_REQUIRED = "sim-402"
    """Always 402, as for used-up credit."""
    FORBIDDEN = "sim-403"
    """Always 403."""
    NOT_FOUND = "sim-404"
    """Always 404, although the model is listed."""
    CONTEXT = "sim-context"
    """Always 400 with code `context_length_exceeded`."""
    FILTER = "sim-filter"
    """Always 400 with code `content_filter`."""
    BAD_JSON = "sim-bad-json"
    """200 with a JSON text cut in the middle, under a matching Content-Length."""
    HTML = "sim-html"
    """200 with a proxy's HTML page."""
    EMPTY = "sim-empty"
    """200 with no body."""
    ERROR_200 = "sim-error-200"
    """200 whose body is an error object."""
    CUT = "sim-cut"
    """Closes the connection after half of the promised body."""
    RESET = "sim-reset"
    """Generates the answer, then resets the connection (RST) before the first byte."""
    REDIRECT = "sim-redirect"
    """302 to `redirect_url`; following it would carry the key to another host."""
    HUGE = "sim-huge"
    """A body of `huge_bytes` (200 MB), chunked."""
    GZIP_BOMB = "sim-gzip-bomb"
    """A gzip body of about 1 MB that unpacks to 1 GiB."""
    DEEP_JSON = "sim-deep-json"
    """A JSON body nested 100,000 deep."""
    NAN = "sim-nan"
    """A body with a bare `NaN`, which JSON does not have."""
    NO_USAGE = "sim-no-usage"
    """A good answer without `usage`."""
    BAD_USAGE = "sim-bad-usage"
    """A good answer with a negative and an absurdly large token count."""
    STREAM_ERROR = "sim-stream-error"
    """A stream that breaks off half way with an error event; 500 where no stream was asked for."""
    FLAKY = "sim-flaky"
    """500 for the first call of each distinct request body, good answers afterwards."""
    FLAKY_LIMITED = "sim-flaky-429"
    """429 for the first call of each distinct request body, good answers afterwards."""


FLAKY: Final = frozenset({Behaviour.FLAKY, Behaviour.FLAKY_LIMITED})
"""Behaviours that depend on whether this request body was seen before."""

BROKEN: Final = frozenset(
    {
        Behaviour.BAD_JSON,
        Behaviour.HTML,
        Behaviour.EMPTY,
        Behaviour.CUT,
        Behaviour.RESET,
        Behaviour.HUGE,
        Behaviour.GZIP_BOMB,
        Behaviour.DEEP_JSON,
        Behaviour.NAN,
    }
)
"""Behaviours that generate (and bill) an answer and then spoil it on the wire."""
