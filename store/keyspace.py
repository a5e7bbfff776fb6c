"""Every Redis key and channel of ours, with type, life time, writer and reader.

dramatiq keeps its own keys (`dramatiq:*`) in the broker database. Ours:

| name                | database | kind    | TTL  | written by           | read by           |
|---------------------|----------|---------|------|----------------------|-------------------|
| `laneway:epoch`     | broker   | string  | none | first worker to miss it | every sweep    |
| `laneway:control`   | state    | channel | -    | API and workers      | every worker      |
| `laneway:reply:<id>`| state    | channel | -    | workers              | one API process   |

The epoch lives beside the queues because it must vanish exactly when they do.
No prompt or answer is ever in a key.
"""

NAMESPACE = "dramatiq"
EPOCH = "laneway:epoch"
CONTROL = "laneway:control"


def queue_list(queue: str) -> str:
    """dramatiq's list of the message ids of one queue."""
    return f"{NAMESPACE}:{queue}"


def queue_messages(queue: str) -> str:
    """dramatiq's hash from message id to message of one queue."""
    return f"{NAMESPACE}:{queue}.msgs"


def reply_channel(api_process: bytes) -> str:
    """The channel on which one API process hears of the jobs that it waits for."""
    return f"laneway:reply:{api_process.hex()}"
