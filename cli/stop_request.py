"""The request to stop: the first signal asks for a clean stop, the second for an end at once."""

import asyncio
import signal

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """Listens to SIGINT, SIGTERM and SIGHUP from now on."""

    def __init__(self) -> None:
        """Take over the signals; the event loop must be running."""
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: it wants us to outlive the terminal
            loop.add_signal_handler(number, self._hear)

    def _hear(self) -> None:
        (self.insisted if self.asked.is_set() else self.asked).set()
