"""SIGTERM ends a benchmark as Ctrl-C does: whatever it has started is stopped on the way out."""

import signal


def stop_at_sigterm() -> None:
    """Raise SystemExit in the main thread when SIGTERM arrives, so that every `with` is left."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)
