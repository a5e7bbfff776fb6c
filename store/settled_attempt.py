"""The settled attempt: what the row of a call that has ended says of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, update

from store.bulk import execute_many
from store.settlement import Settlement
from store.tables import attempt

_SETTLE = (
    update(attempt)
    .where(attempt.c.job_id == bindparam("b_id"), attempt.c.n == bindparam("b_n"))
    .values(
        ended_at_ms=bindparam("b_ended"),
        outcome=bindparam("b_outcome"),
        error_class=bindparam("b_error_class"),
        http_status=bindparam("b_http_status"),
        provider_request_id=bindparam("b_request_id"),
        served_model=bindparam("b_served_model"),
        dropped_json=bindparam("b_dropped"),
        cost_nanousd=bindparam("b_cost_nanousd"),
        cost_basis=bindparam("b_cost_basis"),
        prompt_tokens=bindparam("b_prompt"),
        completion_tokens=bindparam("b_completion"),
        cached_tokens=bindparam("b_cached"),
        cache_write_tokens=bindparam("b_cache_write"),
        reasoning_tokens=bindparam("b_reasoning"),
    )
)


def settle_attempts(connection: Connection, now_ms: int, settled: Sequence[Settlement]) -> None:
    """Write the ends of these attempts, in the order in which `store.leases.renew` locks them."""
    in_order = sorted(settled, key=lambda each: (each.job_id, each.n))
    execute_many(connection, _SETTLE, [_attempt_row(each, now_ms) for each in in_order])


def _attempt_row(settled: Settlement, now_ms: int) -> dict[str, Any]:
    usage = settled.usage or _NO_USAGE
    return {
        "b_id": settled.job_id,
        "b_n": settled.n,
        "b_ended": now_ms,
        "b_outcome": settled.outcome,
        "b_error_class": settled.error_class,
        "b_http_status": settled.http_status,
        "b_request_id": settled.provider_request_id,
        "b_served_model": settled.served_model,
        "b_dropped": json.dumps(settled.dropped_params) if settled.dropped_params else None,
        "b_cost_nanousd": settled.cost_nanousd,
        "b_cost_basis": settled.cost_basis,
        "b_prompt": usage.prompt_tokens,
        "b_completion": usage.completion_tokens,
        "b_cached": usage.cached_tokens,
        "b_cache_write": usage.cache_write_tokens,
        "b_reasoning": usage.reasoning_tokens,
    }


@dataclass(frozen=True, slots=True)
class _NoUsage:
    prompt_tokens: None = None
    completion_tokens: None = None
    cached_tokens: None = None
    cache_write_tokens: None = None
    reasoning_tokens: None = None


_NO_USAGE = _NoUsage()
