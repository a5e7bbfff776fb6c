"""Who a worker is, to the store and to other workers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this worker is."""

    id: bytes
    queues: tuple[str, ...]
    """Those that it serves."""
    version: str
