"""What a hand-out gave out: the jobs, slices and batches of its messages, in order."""

from collections.abc import Sequence

from store.messages import JobsMessage, Message, SliceMessage
from tests.services.job_protocol import Store


def jobs_of(messages: Sequence[Message]) -> list[bytes]:
    """The single jobs."""
    return [job_id for message in messages if isinstance(message, JobsMessage) for job_id in message.job_ids]


def slices_of(messages: Sequence[Message], queue: str | None = None) -> list[bytes]:
    """The slices, or those that went to one queue."""
    found = [message for message in messages if isinstance(message, SliceMessage)]
    return [message.slice_id for message in found if queue in (None, message.queue)]


async def batches_of(store: Store, messages: Sequence[Message]) -> list[bytes]:
    """The batch of each slice."""
    batch_of = {row.id: row.batch_id for row in await store.rows("SELECT id, batch_id FROM slice")}
    return [batch_of[slice_id] for slice_id in slices_of(messages)]


async def keys_of(store: Store, messages: Sequence[Message]) -> list[bytes]:
    """The key of each single job and of each slice."""
    rows = await store.rows("SELECT id, key_id FROM slice UNION SELECT id, key_id FROM job")
    key_of = {row.id: row.key_id for row in rows}
    return [key_of[each] for each in (*jobs_of(messages), *slices_of(messages))]
