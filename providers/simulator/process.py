"""The simulator's process: starts one beside this process and asks it questions, for demos, tests and benchmarks."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, Self, cast

_STOP_S: Final = 10.0
_ASK_S: Final = 60.0


@dataclass(slots=True)
class SimulatorProcess:
    """A running simulator; use as a context manager, or call `stop`."""

    process: "subprocess.Popen[bytes]"
    url: str
    """Base address for an OpenAI client, ending in `/v1`."""

    @classmethod
    def start(cls, flags: Sequence[str] = ()) -> Self:
        """Start a simulator that stops with this process; raises RuntimeError when it does not come up."""
        command = [sys.executable, "-P", "-m", "providers.simulator", "--follow-parent", *flags]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        with_address = cast("IO[bytes]", process.stdout)
        line = with_address.readline()
        with_address.close()
        if not line:
            raise RuntimeError(f"the simulator did not start: exit code {process.wait()}; its reason is on stderr")
        return cls(process, json.loads(line)["url"])

    def stop(self) -> int:
        """Stop it and return its exit code; kills it after 10 s."""
        self.process.terminate()
        try:
            code = self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return code

    def change(self, **settings: object) -> dict[str, Any]:
        """Change settings and return all of them; raises urllib.error.HTTPError (400) for a wrong one."""
        return cast("dict[str, Any]", self._ask("settings", settings))

    def stats(self) -> dict[str, Any]:
        """Return the counters."""
        return cast("dict[str, Any]", self._ask("stats"))

    def wait_idle(self, limit_s: float = 10.0) -> None:
        """Wait until no call is in flight, asking every 10 ms; raises TimeoutError."""
        end_s = time.monotonic() + limit_s
        while in_flight := self.stats()["in_flight"]:
            if time.monotonic() > end_s:
                raise TimeoutError(f"{in_flight} calls are still in flight after {limit_s} s")
            time.sleep(0.01)

    def reset(self) -> None:
        """Clear the bill and the counters."""
        self._ask("reset", {})

    def bill(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the bill."""
        with urllib.request.urlopen(self._address("bill"), timeout=_ASK_S) as response:
            for line in response:
                yield json.loads(line)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop the process."""
        self.stop()

    def _address(self, name: str) -> str:
        return f"{self.url.removesuffix('/v1')}/sim/{name}"

    def _ask(self, name: str, body: object = None) -> object:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._address(name), data, method="GET" if data is None else "POST")
        with urllib.request.urlopen(request, timeout=_ASK_S) as response:
            return cast("object", json.loads(response.read()))
