"""Queue names, as the workers use them."""

from router.queues import batch_queue, interactive_queue, is_batch, moved, provider_of

__all__ = ["batch_queue", "interactive_queue", "is_batch", "moved", "provider_of"]
