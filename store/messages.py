"""Messages: what is sent to the queues, each the ids of work that is marked as published in SQL."""

from collections.abc import Sequence
from dataclasses import dataclass

_JOBS_PER_MESSAGE = 64


@dataclass(frozen=True, slots=True)
class JobsMessage:
    """`run(job_ids)` for a queue."""

    queue: str
    job_ids: tuple[bytes, ...]
    published_at_ms: int


@dataclass(frozen=True, slots=True)
class SliceMessage:
    """`run_slice(slice_id)` for a queue."""

    queue: str
    slice_id: bytes
    published_at_ms: int


Message = JobsMessage | SliceMessage


def job_messages(queue: str, job_ids: Sequence[bytes], now_ms: int) -> list[Message]:
    """Pack jobs of a queue into messages, in their order."""
    groups = (job_ids[start : start + _JOBS_PER_MESSAGE] for start in range(0, len(job_ids), _JOBS_PER_MESSAGE))
    return [JobsMessage(queue, tuple(group), now_ms) for group in groups]
