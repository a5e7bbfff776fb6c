"""The two dramatiq actors. They are thin: each hands its ids to the claimer and returns.

They are declared without options: retries, time limits and delays are SQL's business.
"""

from collections.abc import Callable

import dramatiq

from workers.broker import LanewayBroker
from workers.message import RUN, RUN_SLICE


def declare_actors(
    broker: LanewayBroker, queues: tuple[str, ...], run: Callable[[list[str]], None], run_slice: Callable[[str], None]
) -> None:
    """Declare both actors and every queue on the broker. `queues` must not be empty."""
    dramatiq.actor(broker=broker, actor_name=RUN, queue_name=queues[0])(run)
    dramatiq.actor(broker=broker, actor_name=RUN_SLICE, queue_name=queues[0])(run_slice)
    for queue in queues:
        broker.declare_queue(queue)
