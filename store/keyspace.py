"""Every Redis key and channel of ours, with type, life time, writer and reader.

dramatiq keeps its own keys (`dramatiq:*`) in the broker database. Ours:

| name                | database | kind    | TTL  | written by           | read by           |
|---------------------|----------|---------|------|----------------------|-------------------|
| `laneway:epoch`     | broker   | string  | none | first worker to miss it | every sweep    |
| `laneway:control`   | state    | channel | -    | API and workers      | every worker      |
| `laneway:reply:<id>`| state    | channel | -    | workers              | one API process   |
| `laneway:limit:<scope>` | state | string | 2 d | workers (take, settle, learn, close, ...) | the same, API |
| `laneway:running:<scope>` | state | hash | 1 h | workers (take, report) | the same, API     |
| `laneway:reports:<scope>` | state | hash | 1 h | workers, once a second | workers, API      |

A scope is written `provider/<name>`, `deployment/<provider>/<model>` or `key/<id>`. `limit` is packed (MessagePack, see
`store/limits/scope.lua`); `running` maps a process to its calls in flight, `reports` to what it last told, and each
entry is ignored after 15 s. Only `store/limits/` touches them.

The epoch lives beside the queues because it must vanish exactly when they do.
No prompt or answer is ever in a key.
"""

from router.scope import Scope

NAMESPACE = "dramatiq"
EPOCH = "laneway:epoch"
CONTROL = "laneway:control"


def queue_list(queue: str) -> str:
    """dramatiq's list of the message ids of one queue."""
    return f"{NAMESPACE}:{queue}"


def queue_messages(queue: str) -> str:
    """dramatiq's hash from message id to message of one queue."""
    return f"{NAMESPACE}:{queue}.msgs"


def queue_held(queue: str, broker_id: str) -> str:
    """dramatiq's set of the message ids of one queue that a process has fetched and not acknowledged."""
    return f"{NAMESPACE}:__acks__.{broker_id}.{queue}"


def reply_channel(api_process: bytes) -> str:
    """The channel on which one API process hears of the jobs that it waits for."""
    return f"laneway:reply:{api_process.hex()}"


def limit_state(scope: Scope) -> str:
    """The buckets, closure and learned limits of one scope."""
    return f"laneway:limit:{scope}"


def limit_running(scope: Scope) -> str:
    """The calls in flight of one scope, by process."""
    return f"laneway:running:{scope}"


def limit_reports(scope: Scope) -> str:
    """What each process last reported of one scope."""
    return f"laneway:reports:{scope}"
