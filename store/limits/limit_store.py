"""The store of limits: permits, closures and reports in Redis's state database, shared by all processes.

Every method is one script, so one step and one round trip. Each raises RedisError, OSError or TimeoutError when Redis
is away or silent for `_ANSWER_S`: the caller then goes by buckets of its own (`router/bucket.py`).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from providers.limit import MINUTE_MS, Demand, Limit, LimitReading, Measure
from router.scope import Scope, ScopeLimits
from router.standing import Closed
from store.keyspace import limit_reports, limit_running, limit_state
from store.limits.permit import MOST_DEMANDS, Ask, Binding, Grant
from store.limits.refusal import Refusal
from store.limits.scope_state import Gauge, LimitSource, Report, ScopeState
from store.limits.script import Script
from store.state_redis import connect_state

_ANSWER_S = 0.2
_MOST_AMOUNT = 10**13
_SHUTS = frozenset({Closed.RATE_LIMIT, Closed.FAILING, Closed.AUTH, Closed.BILLING})


class LimitStore:
    """One process's view of the shared limits. Use it on one event loop."""

    def __init__(self, state_url: str, process_id: bytes, *, now_ms: Callable[[], int] | None = None) -> None:
        """Connect when first used. `now_ms` replaces Redis's clock, which is the one that all processes share."""
        self._redis = connect_state(state_url)
        self._process = process_id.hex()
        self._now_ms = now_ms
        self._known: Counter[Scope] = Counter()
        self._generation = 1
        names = ("take", "settle", "learn", "refused", "close", "succeeded", "seed", "running_now", "report")
        self._scripts = {name: Script(name) for name in names}

    async def take(self, ask: Ask) -> Grant:
        """Take permits for the longest prefix of the demands that every bucket of every scope allows."""
        scopes = [each.scope for each in ask.scopes]
        argument = {
            "generation": self._generation,
            "is_batch": ask.is_batch,
            "demands": [_demand(each) for each in ask.demands[:MOST_DEMANDS]],
            "scopes": [
                {"limits": _limits(each.limits), "running": running, "known": self._known[each.scope]}
                for each, running in zip(ask.scopes, ask.running, strict=True)
            ],
        }
        try:
            answer = await self._run("take", [key(s) for s in scopes for key in (limit_state, limit_running)], argument)
        except BaseException:
            self._generation += 1  # permits may have been given that we shall never hear of
            raise
        said = orjson.loads(answer)
        if argument["generation"] == self._generation:
            self._known.update(dict.fromkeys(scopes, said["granted"]))
        return _grant(said, scopes)

    async def running(self, scope_counts: Mapping[Scope, int]) -> None:
        """Tell at once how many calls of this process run: some ended, others wait, and no ask or report is due."""
        scopes = [{"running": count, "known": self._known[scope]} for scope, count in scope_counts.items()]
        argument = {"generation": self._generation, "scopes": scopes}
        await self._run("running_now", [limit_running(scope) for scope in scope_counts], argument)

    async def settle(self, scopes: tuple[ScopeLimits, ...], reserved: Demand, used: Demand) -> None:
        """Move the buckets of tokens and dollars by reserved minus used, sums of many calls. Requests stay taken."""
        argument = {
            "reserved": _demand(reserved),
            "used": _demand(used),
            "scopes": [{"limits": _limits(each.limits)} for each in scopes],
        }
        await self._run("settle", [limit_state(each.scope) for each in scopes], argument)

    async def learn(self, scope: Scope, readings: Sequence[LimitReading], age_ms: int) -> None:
        """Learn what one answer's headers said, `age_ms` ago: limits, in force where none is set, and what is left.

        What was told before and is not among the readings is forgotten, when no answer tells it for ten minutes.
        """
        argument = {"age_ms": age_ms, "readings": [_reading(each) for each in readings]}
        await self._run("learn", [limit_state(scope)], argument)

    async def refused(self, scope: Scope, refusal: Refusal) -> None:
        """Close the scope after a 429, and learn a limit of requests a minute unless some limit is known.

        Refusals within 300 ms, and those that come while it is closed, count once.
        """
        await self._run("refused", [limit_state(scope), limit_reports(scope)], asdict(refusal))

    async def close(self, scope: Scope, reason: Closed, for_ms: int) -> None:
        """Close a scope for so long, a day at most; then one probe at a time goes through until one succeeds."""
        if reason not in _SHUTS:
            raise ValueError(f"{scope} cannot be closed as {reason}: that is an operator's setting, kept in SQL")
        await self._run("close", [limit_state(scope)], {"reason": reason, "for_ms": for_ms})

    async def succeeded(self, scope: Scope) -> None:
        """End probing and forget the strikes. A closure that still runs is left alone: the call began before it."""
        await self._run("succeeded", [limit_state(scope)], {})

    async def seed(self, scope: Scope, measure: Measure, window_ms: int, used: int) -> None:
        """Start a counted window (an hour or more) with what was used in it; ignored once it is started."""
        argument = {"measure": measure, "window_ms": window_ms, "used": used}
        await self._run("seed", [limit_state(scope)], argument)

    async def report(
        self, reports: Sequence[Report], limits: Mapping[Scope, tuple[Limit, ...]]
    ) -> dict[Scope, ScopeState]:
        """Write this process's reports; return the state of every scope that is in them or in `limits`."""
        ours = {each.scope: each for each in reports}
        return await self._states({scope: limits.get(scope, ()) for scope in (*ours, *limits)}, ours)

    async def states(self, scopes: Mapping[Scope, tuple[Limit, ...]]) -> dict[Scope, ScopeState]:
        """Return the states of these scopes, given the limits that are set for them. Writes nothing."""
        return await self._states(scopes, {})

    async def aclose(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _states(
        self, scopes: Mapping[Scope, tuple[Limit, ...]], ours: Mapping[Scope, Report]
    ) -> dict[Scope, ScopeState]:
        if not scopes:
            return {}
        rows = [
            {"limits": _limits(limits), "known": self._known[scope]}
            | ({"report": _report(ours[scope])} if scope in ours else {})
            for scope, limits in scopes.items()
        ]
        keys = [key(scope) for scope in scopes for key in (limit_state, limit_running, limit_reports)]
        answer = await self._run("report", keys, {"generation": self._generation, "scopes": rows})
        return {scope: _state(scope, said) for scope, said in zip(scopes, orjson.loads(answer), strict=True)}

    async def _run(self, name: str, keys: list[str], argument: dict[str, Any]) -> Any:
        now_ms = self._now_ms() if self._now_ms else None
        said = orjson.dumps({"now": now_ms, "process": self._process, **argument})
        async with asyncio.timeout(_ANSWER_S):
            return await self._scripts[name].run(self._redis, keys, said)


def _demand(demand: Demand) -> tuple[int, int, int]:
    return demand.input_tokens, demand.output_tokens, demand.cost_nanousd


def _limits(limits: tuple[Limit, ...]) -> list[tuple[str, int, int]]:
    return [(each.measure, each.amount, each.window_ms) for each in limits]


def _reading(reading: LimitReading) -> tuple[str, int, int, int]:
    """Measure, window, limit (0: not told) and what remains (-1: not told); absurd figures count as not told."""
    window_ms = 0 if reading.measure is Measure.PARALLEL else reading.window_ms or MINUTE_MS
    limit, remaining = reading.limit or 0, reading.remaining
    if not 0 < limit <= _MOST_AMOUNT:
        limit = 0
    if remaining is None or remaining < 0 or reading.limit == 0:
        remaining = -1
    return reading.measure, window_ms, limit, remaining


def _report(report: Report) -> tuple[int, int, int, int]:
    us = -1 if report.us_per_output_token is None else report.us_per_output_token
    return report.in_flight, report.waiting, report.per_minute, us


def _grant(said: dict[str, Any], scopes: list[Scope]) -> Grant:
    binding = said.get("binding")
    unseeded = said.get("unseeded", ())
    return Grant(
        granted=said["granted"],
        wait_ms=int(said["wait_ms"]),
        binding=_binding(binding, scopes) if binding else None,
        unseeded=tuple((scopes[i], Limit(Measure(m), int(amount), int(window))) for i, m, amount, window in unseeded),
    )


def _binding(said: dict[str, Any], scopes: list[Scope]) -> Binding:
    return Binding(
        scope=scopes[said["scope"]],
        measure=Measure(said["measure"]) if "measure" in said else None,
        closed=Closed(said["closed"]) if "closed" in said else None,
        amount=int(said["amount"]),
        used_permille=int(said["used_permille"]),
        wait_ms=int(said["wait_ms"]),
    )


def _state(scope: Scope, said: dict[str, Any]) -> ScopeState:
    return ScopeState(
        scope=scope,
        closed=Closed(said["closed"]) if "closed" in said else None,
        closed_for_ms=int(said.get("closed_for", 0)),
        is_probing=said.get("is_probing", False),
        strikes=said["strikes"],
        gauges=tuple(_gauge(*each) for each in said["gauges"]),
        in_flight=said["in_flight"],
        waiting=said["waiting"],
        per_minute=said["per_minute"],
        us_per_output_token=None if said["us"] < 0 else said["us"],
    )


def _gauge(measure: str, window_ms: float, amount: float, used: float, wait_ms: float, source: str) -> Gauge:
    return Gauge(Measure(measure), int(window_ms), int(amount), int(used), int(wait_ms), LimitSource(source))
