"""The departure: how a job that got no permit is settled when it does not wait on. Pure."""

from collections.abc import Callable

from providers.failure import Failure
from router.routes import Deployment
from store.claim import ClaimedJob
from store.settlement import Settlement
from workers.conclusion import conclude_moved, conclude_refused, conclude_unsent
from workers.impatience import Leaving, Moved, Refused, Snoozed


def conclude_leaving(
    job: ClaimedJob, leaving: Leaving, deployment: Callable[[int], Deployment], now_ms: int
) -> Settlement:
    """Settle a job that leaves its gate; `deployment(place)` is one of its route's."""
    match leaving:
        case Moved(place, reason):
            return conclude_moved(job, place, deployment(place), reason, now_ms)
        case Snoozed(for_ms, reason):
            return conclude_unsent(job, min(now_ms + for_ms, job.deadline_at_ms), reason)
        case Refused(reason, retry_after_ms):
            words = _words(deployment(job.route_index), leaving)
            return conclude_refused(job, Failure(reason, words, retry_after_ms=retry_after_ms))


def _words(deployment: Deployment, refused: Refused) -> str:
    name, seconds = f"{deployment.provider}/{deployment.model}", max(round(refused.retry_after_ms / 1_000), 1)
    return f"{name} takes no call just now ({refused.reason}). Try again in {seconds} s."
