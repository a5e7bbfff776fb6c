"""The header `Prefer` (RFC 7240): a caller of a completion may say how long it waits before it takes a job instead."""

import re

from starlette.datastructures import Headers

LONGEST_WAIT_S = 3_600.0
_WAIT = re.compile(r"wait=\"?([0-9]{1,9})\"?", re.ASCII)


def preferred_wait_s(headers: Headers) -> float | None:
    """How long to wait before answering 202: `wait=N` seconds, 0 for `respond-async`; None without a preference.

    A preference that cannot be read is ignored, as the RFC wants it.
    """
    text = headers.get("prefer")
    if text is None:
        return None
    wishes = [wish.partition(";")[0].strip().lower() for wish in text.split(",")]
    waits = [min(float(found[1]), LONGEST_WAIT_S) for wish in wishes if (found := _WAIT.fullmatch(wish))]
    if waits:
        return waits[0]
    return 0.0 if "respond-async" in wishes else None
