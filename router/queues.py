"""Queue names: `<provider>` for interactive work, `<provider>.batch` for the rest. Pure."""

_BATCH = ".batch"


def interactive_queue(provider: str) -> str:
    """The queue of a provider's single jobs."""
    return provider


def batch_queue(provider: str) -> str:
    """The queue of a provider's batch lines, and of single jobs that asked for the cheap tier."""
    return provider + _BATCH


def provider_of(queue: str) -> str:
    """The provider that a queue belongs to."""
    return queue.removesuffix(_BATCH)


def is_batch(queue: str) -> bool:
    """Whether a queue holds work that nobody waits for."""
    return queue.endswith(_BATCH)


def moved(queue: str, provider: str) -> str:
    """The queue of the same kind at another provider."""
    return batch_queue(provider) if is_batch(queue) else interactive_queue(provider)
