"""Patience: the product's shortest waits, made longer in the processes of the tests, for machines that stall.

Laneway gives up soon on a Redis or a database that says nothing, because a caller is waiting; on a busy machine that
would fail a test which is about something else. What refuses a connection is noticed as soon as ever.
"""

import api.call
import cli.child
import store.database
import store.limits.limit_store
import store.replies
import store.signals
import store.sqlite
import workers.broker

PATIENCE_S = 240.0
"""How long a test waits for what has to come: it is there in moments, unless the machine stalls."""
_LONG_S = 30.0


def be_patient() -> None:
    """Wait long for Redis to take a message, for a database to open and for the last lines of a program."""
    for module, name in (
        (api.call, "_PUBLISH_S"),
        (workers.broker, "_PUBLISH_S"),
        (store.replies, "_SEND_S"),
        (store.signals, "_ANSWER_S"),
        (store.limits.limit_store, "_ANSWER_S"),
        (store.database, "_CONNECT_S"),
        (cli.child, "_LAST_WORDS_S"),
    ):
        assert name in vars(module), f"{module.__name__} has no {name} any more"
        setattr(module, name, _LONG_S)


def be_patient_with_databases() -> None:
    """Wait long for another process's transaction too, and for long queries: for processes that only look on."""
    assert "_BUSY_MS" in vars(store.sqlite)
    assert "_COMMAND_S" in vars(store.database)
    store.sqlite._BUSY_MS = int(_LONG_S * 1000)
    store.database._COMMAND_S = int(PATIENCE_S)
