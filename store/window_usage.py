"""What a long window has used already, counted from the attempts: for a limiter that has lost its own count."""

from sqlalchemy import ColumnElement, Connection, Integer, func, select

from providers.limit import Measure
from router.outcome import AttemptOutcome
from router.scope import Scope, ScopeKind
from store.ids import least_id
from store.tables import attempt

_LONGEST_JOB_MS = 7 * 86_400_000
"""A call is at most so much later than its job was made: older jobs are not looked at."""
_SUMS: dict[Measure, ColumnElement[int]] = {
    Measure.REQUESTS: func.count(),
    Measure.INPUT_TOKENS: func.sum(attempt.c.prompt_tokens),
    Measure.OUTPUT_TOKENS: func.sum(attempt.c.completion_tokens),
    Measure.TOKENS: func.sum(attempt.c.prompt_tokens + attempt.c.completion_tokens),
    Measure.NANOUSD: func.sum(attempt.c.cost_nanousd),
}
_REFUSED = 429
_NOT_MADE = (AttemptOutcome.RELEASED, AttemptOutcome.STARTED)


def used_in_window(connection: Connection, now_ms: int, scope: Scope, measure: Measure, window_ms: int) -> int:
    """How much of a measure the calls took that a scope started within the last window and that have ended.

    Refused ones took nothing. Those that have not ended are left out, for most of them only wait: an attempt is
    written before its job has a permit.
    """
    mine: ColumnElement[bool] = (
        attempt.c.key_id == bytes.fromhex(scope.name)
        if scope.kind is ScopeKind.KEY
        else (attempt.c.provider == scope.name.partition("/")[0])
    )
    if scope.kind is ScopeKind.DEPLOYMENT:
        mine &= attempt.c.model == scope.name.partition("/")[2]
    counted = (
        select(func.coalesce(_SUMS[measure], 0, type_=Integer))
        .where(attempt.c.job_id >= least_id(now_ms - window_ms - _LONGEST_JOB_MS), mine)
        .where(attempt.c.started_at_ms > now_ms - window_ms, attempt.c.outcome.not_in(_NOT_MADE))
        .where(func.coalesce(attempt.c.http_status, 0) != _REFUSED)
    )
    return int(connection.execute(counted).scalar_one())
