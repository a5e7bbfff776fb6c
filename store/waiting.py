"""What waits: the conditions under which single jobs and slices are work that nobody has claimed, and batches go on.

Each is the condition of an index of the table, in its words, with literal values: only so do both databases use it.
"""

from sqlalchemy import ColumnElement, literal_column

from router.lifecycle import BatchStatus, JobState
from store.tables import batch, job, slices


def unpublished_job() -> ColumnElement[bool]:
    """A single job that waits for room; its index is `job_waiting`."""
    return _single() & job.c.published_at_ms.is_(None)


def called_job() -> ColumnElement[bool]:
    """One of them that a caller waits for: it is published whatever else waits; its index is `job_called`."""
    return unpublished_job() & job.c.reply_to.is_not(None)


def published_job() -> ColumnElement[bool]:
    """A single job whose message was sent, or should have been; its index is `job_published`."""
    return _single() & job.c.published_at_ms.is_not(None)


def unpublished_slice() -> ColumnElement[bool]:
    """A slice that waits for room; its index is `slice_waiting`."""
    return slices.c.published_at_ms.is_(None) & slices.c.claimed_at_ms.is_(None)


def published_slice() -> ColumnElement[bool]:
    """A slice whose message was sent, or should have been; its index is `slice_published`."""
    return slices.c.published_at_ms.is_not(None) & slices.c.claimed_at_ms.is_(None)


def open_batch() -> ColumnElement[bool]:
    """A batch whose lines may be handed out; its index is `batch_turn`."""
    runs: ColumnElement[str] = literal_column(f"'{BatchStatus.IN_PROGRESS}'")
    return (batch.c.status == runs) & batch.c.closing.is_(None) & batch.c.paused_for.is_(None)


def _single() -> ColumnElement[bool]:
    """Queued, and not a line that goes with its slice."""
    queued: ColumnElement[str] = literal_column(f"'{JobState.QUEUED}'")
    return (job.c.state == queued) & job.c.slice_id.is_(None)
