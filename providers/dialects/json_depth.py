"""Nesting of parsed JSON: how deep is too deep."""

from typing import Any

import orjson

MANY_BRACKETS = 250
"""A body with fewer opening brackets cannot be nested deeper than orjson writes (254 levels)."""


def is_too_deep(body: bytes, data: Any) -> bool:
    """Tell whether a body is deeper than 254 levels: orjson could not write it again, many readers not read it."""
    if len(body) < MANY_BRACKETS or body.count(b"{") + body.count(b"[") < MANY_BRACKETS:
        return False
    try:
        orjson.dumps(data)
    except TypeError:
        return True
    return False
