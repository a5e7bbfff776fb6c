"""JSON answers: single objects and list pages."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import Response


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a JSON body."""
    return Response(orjson.dumps(value), status, dict(headers or {}), "application/json")


def list_answer(objects: Sequence[Mapping[str, Any]], *, has_more: bool) -> Response:
    """Answer with one page of a list; clients ask on with `after=<last_id>`."""
    return json_answer(
        {
            "object": "list",
            "data": list(objects),
            "first_id": objects[0]["id"] if objects else None,
            "last_id": objects[-1]["id"] if objects else None,
            "has_more": has_more,
        }
    )


def seconds(at_ms: int | None) -> int | None:
    """A time as clients know it: whole seconds since 1970."""
    return None if at_ms is None else at_ms // 1000
