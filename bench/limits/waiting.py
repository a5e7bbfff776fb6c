"""The cases of waiting callers: single calls while a batch uses up the limit, or after the first provider died."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from bench.caller import Caller, Order
from bench.limits.budget import Budget, Unit
from bench.limits.stand import MODEL, Provider, Stand, stand
from bench.sync_run import Side

_CALLERS: Final = 5
_LATENCY_MS: Final = 50
_PER_MINUTE: Final = 3_000
_LIMIT_S: Final = 60.0
_TURN: Final = 50
"""Calls to one model before it is the other one's turn."""


@dataclass(frozen=True, slots=True)
class Waited:
    """What a case of waiting callers found: the same calls without and with what is in their way."""

    case: str
    calls: int
    """Of each side."""
    free: Side
    hindered: Side
    note: str
    """What was in their way."""

    def added_ms(self, share: float) -> float:
        """Return how much longer this share of the calls took, in milliseconds."""
        return self.hindered.quantile_ms(share) - self.free.quantile_ms(share)


@dataclass(frozen=True, slots=True)
class InteractiveWait:
    """A case: a tenth of the limit's calls are single ones, while the rest of it is used up by a batch."""

    name: str
    workers: int

    def run(self, duration_s: int) -> Waited:
        """Make the same calls before the batch and beside it, each time for this long."""
        with stand({"a": _limited(_LATENCY_MS)}, workers=self.workers) as one, Caller() as caller:
            order = _order(one, one.laneway.key, _CALLERS * duration_s, pace_ms=1_000)
            free = _side(caller, order)
            jobs = _PER_MINUTE * (2 * duration_s + 60) // 60
            with one.backlog(jobs) as backlog:
                _until(lambda: _is_saturated(one), "the batch does not use up the limit")
                hindered = _side(caller, replace(order, first=order.requests))
                left = backlog.left()
        return Waited(self.name, order.requests, free, hindered, _beside(left))


@dataclass(frozen=True, slots=True)
class NoisyNeighbour:
    """A case: one tenant's batch of 20,000 lines, and another's 50 calls."""

    name: str
    workers: int
    lines: int = 20_000
    calls: int = 50

    def run(self, duration_s: int) -> Waited:
        """Make the quiet tenant's calls before the batch and beside it; takes as long as they take."""
        latency_ms = 4 * _LATENCY_MS  # five callers then ask for half of the limit
        with stand({"a": _limited(latency_ms)}, workers=self.workers) as one, Caller() as caller:
            order = _order(one, one.make_key("quiet"), self.calls)
            free = _side(caller, order)
            with one.backlog(self.lines, one.make_key("noisy")) as backlog:
                _until(lambda: _is_saturated(one), "the batch does not use up the limit")
                hindered = _side(caller, replace(order, first=self.calls))
                left = backlog.left()
        return Waited(self.name, self.calls, free, hindered, _beside(left))


@dataclass(frozen=True, slots=True)
class DeadPrimary:
    """A case: the first provider of a route answers nothing but 500; the calls' way to the second one."""

    name: str
    workers: int
    calls: int = 600

    def run(self, duration_s: int) -> Waited:
        """Call the healthy provider alone and behind the dead one, in turns; the first turn is not counted.

        It takes as long as the calls take.
        """
        healthy = Provider(["--latency-ms", str(_LATENCY_MS)])
        dead = Provider(["--status-override", "500"])
        models = {"alone": ("healthy",), MODEL: ("dead", "healthy")}
        free, hindered = Side(), Side()
        with stand({"dead": dead, "healthy": healthy}, workers=self.workers, models=models) as one, Caller() as caller:
            order = _order(one, one.laneway.key, _TURN)
            for model in ("alone", MODEL):
                caller.run(replace(order, model=model))
            one.simulators["dead"].reset()
            for start in range(_TURN, self.calls + _TURN, _TURN):
                free.add(caller.run(replace(order, model="alone", first=start)))
                hindered.add(caller.run(replace(order, first=start)))
            reached = one.simulators["dead"].stats()["calls"]
        return Waited(self.name, len(free.times_us), free, hindered, f"{reached} calls reached the dead provider")


def _limited(latency_ms: int) -> Provider:
    budget = Budget(Unit.REQUESTS, _PER_MINUTE, "sliding", told=True)
    return budget.provider(configured=True, latency_ms=str(latency_ms))


def _order(one: Stand, key: str, requests: int, pace_ms: int = 0) -> Order:
    return Order(one.laneway.url, key, MODEL, _CALLERS, requests, first=0, stream=False, pace_ms=pace_ms)


def _side(caller: Caller, order: Order) -> Side:
    side = Side()
    side.add(caller.run(order))
    return side


def _is_saturated(one: Stand) -> bool:
    """Whether a second has seen as many calls as the limit allows on average."""
    counted = one.limit_stats()["a"]
    return bool(counted["peak_1s"]["requests"] >= 0.9 * _PER_MINUTE / 60)


def _beside(left: int) -> str:
    return f"{left:,} lines of the batch were left at the end" if left else "the batch ended before the calls did"


def _until(condition: Callable[[], bool], complaint: str) -> None:
    end_s = time.monotonic() + _LIMIT_S
    while not condition():
        if time.monotonic() > end_s:
            raise RuntimeError(f"{complaint} after {_LIMIT_S:.0f} s")
        time.sleep(0.1)
