"""A message as it lies in a queue: two actors, ids, nothing else. Whoever has Redis's password may have written it."""

from typing import cast

from dramatiq import DecodeError, Message

RUN = "run"
RUN_SLICE = "run_slice"
PUBLISHED_AT = "published_at_ms"
"""Our one option: when it was sent."""
_OPTIONS = frozenset({PUBLISHED_AT, "redis_message_id"})


def read_message(data: bytes, queue: str) -> Message[None] | None:
    """Read a message of ours; None for anything else, which dramatiq would stumble over or call by name."""
    try:
        message: Message[None] = Message.decode(data)
    except DecodeError:
        return None
    return message if _is_ours(message, queue) else None


def _is_ours(message: Message[None], queue: str) -> bool:
    options: object = message.options
    return (
        message.queue_name == queue
        and isinstance(cast(object, message.message_id), str)
        and message.kwargs == {}
        and isinstance(options, dict)
        and options.keys() <= _OPTIONS
        and isinstance(options.get("redis_message_id"), str)
        and type(options.get(PUBLISHED_AT, 0)) is int
        and _has_ids(message)
    )


def _has_ids(message: Message[None]) -> bool:
    """Whether the actor gets what it takes. Which of the texts are ids is for the claimer to say."""
    kind = {RUN: list, RUN_SLICE: str}.get(str(message.actor_name))
    return kind is not None and len(message.args) == 1 and isinstance(message.args[0], kind)
