"""The request to stop: the first signal asks for a clean stop, the second for an end at once."""

import asyncio
import signal

_ECHO_S = 0.3  # `timeout` and others signal a process and then its group: that is one request
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """Listens to SIGINT, SIGTERM and SIGHUP from now on."""

    def __init__(self) -> None:
        """Take over the signals; the event loop must be running."""
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()
        self._asked_at_s = 0.0
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: it wants us to outlive the terminal
            loop.add_signal_handler(number, self._hear)

    def left_ms(self, grace_ms: int) -> int:
        """How much of a grace is left that began with the first signal; all of it before one, none after a second."""
        if self.insisted.is_set():
            return 0
        gone_s = asyncio.get_running_loop().time() - self._asked_at_s if self.asked.is_set() else 0.0
        return max(grace_ms - int(gone_s * 1000), 0)

    def _hear(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if not self.asked.is_set():
            self._asked_at_s = now_s
            self.asked.set()
        elif now_s - self._asked_at_s > _ECHO_S:
            self.insisted.set()
