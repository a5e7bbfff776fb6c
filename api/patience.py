"""Patience: how long a caller waits, by its headers and by what it asked for."""

from starlette.datastructures import Headers

from api.asked import bad_wish
from router.wishes import BadWish, timeout

DEFAULT_S = 600.0
KEEP_ALIVE_S = 10.0
_HEADER = "x-laneway-timeout"
_CLIENT = "x-stainless-read-timeout"
_AHEAD = 0.05
_LEAST_AHEAD_S = 0.25
_MOST_AHEAD_S = 5.0
_OFTEN_S = 0.25


def timeout_s(headers: Headers, asked_s: float | None, *, whole: bool) -> float:
    """How long a job may take: the header's word, else the body's, else ten minutes. Raises ApiError 400.

    An answer that comes `whole` must come before the client gives up by itself: it is asked for a little less than
    that, so that it hears our refusal (with the job's id, and not to repeat) instead of trying again. A stream keeps
    its client awake.
    """
    wanted_s = _asked_by_header(headers)
    if wanted_s is None:
        wanted_s = DEFAULT_S if asked_s is None else asked_s
    patience_s = client_patience_s(headers) if whole else None
    if patience_s is None:
        return wanted_s
    return min(wanted_s, patience_s - min(patience_s * _AHEAD + _LEAST_AHEAD_S, _MOST_AHEAD_S, patience_s / 2))


def keep_alive_s(headers: Headers) -> float:
    """How long a stream may be silent before its client is told that we are still there."""
    patience_s = client_patience_s(headers)
    return KEEP_ALIVE_S if patience_s is None else max(min(KEEP_ALIVE_S, patience_s / 2), _OFTEN_S)


def client_patience_s(headers: Headers) -> float | None:
    """After how long a silence the client gives up, where its library says so."""
    said_s = _number(headers.get(_CLIENT))
    return said_s if said_s is not None and said_s > 0 else None


def _asked_by_header(headers: Headers) -> float | None:
    text = headers.get(_HEADER)
    if text is None:
        return None
    said_s = _number(text)
    try:
        return timeout(-1.0 if said_s is None else said_s, _HEADER)
    except BadWish as error:
        raise bad_wish(error) from None


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
