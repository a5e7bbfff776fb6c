"""What waits: the conditions under which single jobs and slices are work that nobody has claimed, and batches go on.

Each is the condition of an index of the table, in its words, with literal values: only so do both databases use it.
"""

from sqlalchemy import ColumnElement, literal_column

from router.lifecycle import BatchStatus, JobState
from router.outcome import AttemptOutcome
from store.tables import attempt, batch, job, slices

_ACTIVE = (BatchStatus.VALIDATING, BatchStatus.IN_PROGRESS, BatchStatus.FINALIZING, BatchStatus.CANCELLING)
"""As the index has them: SQLite compares the words."""


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


def active_batch() -> ColumnElement[bool]:
    """A batch that has not ended, whatever it waits for; its index is `batch_open`."""
    return batch.c.status.in_([literal_column(f"'{stage}'") for stage in _ACTIVE])


def open_single() -> ColumnElement[bool]:
    """A single job that has not ended; its index is `job_deadline`."""
    queued: ColumnElement[str] = literal_column(f"'{JobState.QUEUED}'")
    running: ColumnElement[str] = literal_column(f"'{JobState.IN_PROGRESS}'")
    return job.c.batch_id.is_(None) & job.c.state.in_((queued, running))


def waiting_line() -> ColumnElement[bool]:
    """A line of a batch that no worker holds, wherever it waits; its index is `job_line_waiting`."""
    return _queued() & job.c.batch_id.is_not(None)


def running_attempt() -> ColumnElement[bool]:
    """A call that is under way, or was when its worker died; its index is `attempt_running`.

    Nothing may sort such attempts by their jobs within the database: SQLite walks all attempts there ever were for it.
    """
    started: ColumnElement[str] = literal_column(f"'{AttemptOutcome.STARTED}'")
    return attempt.c.outcome == started


def lapsed_attempt(now_ms: ColumnElement[int] | int) -> ColumnElement[bool]:
    """One of them whose worker has not renewed it in time."""
    return running_attempt() & (attempt.c.lease_until_ms < now_ms)


def _single() -> ColumnElement[bool]:
    """Queued, and not a line that goes with its slice."""
    return _queued() & job.c.slice_id.is_(None)


def _queued() -> ColumnElement[bool]:
    queued: ColumnElement[str] = literal_column(f"'{JobState.QUEUED}'")
    return job.c.state == queued
