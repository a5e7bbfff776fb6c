"""The storm case: for a while every call of a batch is answered 429, then none is."""

import time
from dataclasses import dataclass
from typing import Any, Final

from bench.limits.stand import Backlog, Provider, stand

_LATENCY_MS: Final = 100
_RETRY_AFTER_S: Final = 2
_FIRST_S: Final = 3
"""The storm's first seconds, in which calls under way learn of it."""
_LIMIT_S: Final = 300.0
_POLL_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Stormed:
    """What the storm case found."""

    case: str
    jobs: int
    completed: int
    storm_s: float
    """From the first call on."""
    calls: int
    """Of the whole run, those answered 429 included."""
    calls_per_s_in_storm: float
    """After its first 3 s."""
    after_s: float
    """From the end of the storm to the end of the batch."""

    @property
    def calls_per_job(self) -> float:
        """How often the provider was called for one answer."""
        return self.calls / self.jobs


@dataclass(frozen=True, slots=True)
class Storm:
    """A case: 1,000 jobs meet a provider that answers 429 to everything, with a `Retry-After` of 2 s."""

    name: str
    workers: int
    jobs: int = 1_000
    storm_s: int = 30

    def run(self, duration_s: int) -> Stormed:
        """Let the storm last 30 s, or the duration if that is less; then wait for the batch to end."""
        storm_s = min(self.storm_s, duration_s)
        flags = ["--latency-ms", str(_LATENCY_MS), "--status-override", "429", "--retry-after-s", str(_RETRY_AFTER_S)]
        with stand({"a": Provider(flags)}, workers=self.workers) as one, one.backlog(self.jobs) as backlog:
            simulator = one.simulators["a"]
            end_s = time.monotonic() + _LIMIT_S
            while not simulator.stats()["calls"]:
                _rest(end_s, "no call was made")
            started_s = time.monotonic()
            time.sleep(storm_s)
            stormy = simulator.stats()
            simulator.change(status_override=None)
            over_s = time.monotonic()
            while backlog.left():
                _rest(end_s, f"{backlog.left()} of {self.jobs} jobs have not ended")
            return self._result(backlog, stormy, simulator.stats(), over_s - started_s, time.monotonic() - over_s)

    def _result(
        self, backlog: Backlog, stormy: dict[str, Any], final: dict[str, Any], storm_s: float, after_s: float
    ) -> Stormed:
        seconds = stormy["per_second"]
        later = sum(second["calls"] for second in seconds if second["at_s"] >= seconds[0]["at_s"] + _FIRST_S)
        return Stormed(
            case=self.name,
            jobs=self.jobs,
            completed=backlog.completed(),
            storm_s=storm_s,
            calls=final["calls"],
            calls_per_s_in_storm=later / max(1.0, storm_s - _FIRST_S),
            after_s=after_s,
        )


def _rest(end_s: float, complaint: str) -> None:
    if time.monotonic() > end_s:
        raise RuntimeError(f"{complaint} after {_LIMIT_S:.0f} s")
    time.sleep(_POLL_S)
