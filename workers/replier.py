"""The replier: tells the API process that waits for a job how it ended.

A reply is a courtesy: it is posted and never waited for, and whoever misses it finds the same in SQL.
"""

from collections.abc import Iterable

from providers.failure import ErrorClass, Failure
from router.lifecycle import JobState
from store.ended_job import EndedJob
from store.leases import POISON_ERROR
from store.replies import MOST_BODY_BYTES, Replies, Reply, ReplyKind
from store.settlement import Completed, Failed, Settlement
from workers.conclusion import error_json

_CLASSES = {JobState.CANCELLED: ErrorClass.CANCELLED, JobState.EXPIRED: ErrorClass.EXPIRED}
_ERRORS = {
    ErrorClass.CANCELLED: error_json(Failure(ErrorClass.CANCELLED, "The request was cancelled.")).encode(),
    ErrorClass.EXPIRED: error_json(Failure(ErrorClass.EXPIRED, "The time for this request ran out.")).encode(),
    ErrorClass.POISON: POISON_ERROR.encode(),
}


class Replier:
    """Posts the ends of jobs."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    def settled(self, ended: Iterable[tuple[Settlement, JobState]]) -> None:
        """Tell of the jobs whose settlements were committed, as `store.finish` returned them."""
        for settlement, state in ended:
            if settlement.reply_to is not None:
                self._replies.post(settlement.reply_to, end_of(settlement, state))

    def ended(self, jobs: Iterable[EndedJob], error_class: ErrorClass) -> None:
        """Tell of jobs that the sweep ended: `expired` those whose time is over, `poison` the failed ones."""
        state = JobState.EXPIRED if error_class is ErrorClass.EXPIRED else JobState.FAILED
        for job in jobs:
            if job.reply_to is not None:
                reply = Reply(
                    ReplyKind.END, job.id, job.n, state=state, error_class=error_class, body=_ERRORS[error_class]
                )
                self._replies.post(job.reply_to, reply)


def end_of(settlement: Settlement, state: JobState) -> Reply:
    """Word the end of a job for the one who waits. Without a body when only SQL holds it, or it is too large."""
    error_class: ErrorClass | None = None
    status: int | None = None
    body: bytes | None = None
    match settlement.verdict:
        case Completed(answer):
            body = answer if len(answer) <= MOST_BODY_BYTES else None
        case Failed(cause, text):
            error_class, body, status = cause, text.encode(), settlement.http_status
        case _ if state in _CLASSES:
            error_class = _CLASSES[state]
            body = _ERRORS[error_class]
    return Reply(
        ReplyKind.END,
        settlement.job_id,
        settlement.n,
        seq=settlement.events,
        state=state,
        error_class=error_class or "",
        status=status,
        provider=settlement.provider,
        model=settlement.model,
        reason=settlement.reason,
        cost_nanousd=settlement.cost_nanousd,
        body=body,
    )
