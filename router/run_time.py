"""The time of a run: how long its calls take under the limits in force, and which of them binds. Pure.

Every limit is a constraint of its own: what the run takes out of it, divided by what it lets through, is a time, and
the longest of these is the run's. Limits of a minute let calls through at a steady pace. Those of an hour or more are
counted: a run that fits into what is left of them waits for nothing, and they are taken to be unused.

A provider's limits are shared by all its deployments, a key's by everything. Lines that several deployments may serve
are split in proportion to how fast each would be alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from providers.limit import Demand, Limit, Measure
from router.limit_names import words_of
from router.scope import Scope
from router.waiting_reason import name_of

CALL_MS = 1_000
"""What a call takes at least."""
CALL_MS_PER_OUTPUT_TOKEN = 20
_COUNTED_FROM_MS = 3_600_000
_WHOLE = 1 << 60


@dataclass(frozen=True, slots=True)
class Load:
    """What some calls take together."""

    calls: int = 0
    demand: Demand = field(default_factory=Demand)
    busy_ms: int = 0
    """The time of all calls, one after the other."""

    def __add__(self, other: "Load") -> "Load":
        return Load(self.calls + other.calls, self.demand + other.demand, self.busy_ms + other.busy_ms)

    def of(self, measure: Measure) -> int:
        """How much of a measure they take; of calls in flight the time that they are."""
        match measure:
            case Measure.REQUESTS:
                return self.calls
            case Measure.PARALLEL:
                return self.busy_ms
            case _:
                return self.demand.of(measure)


@dataclass(frozen=True, slots=True)
class Constraint:
    """One limit, and what people call it."""

    words: str
    limit: Limit

    def time_ms(self, load: Load) -> int:
        """How long it takes to let a load through."""
        taken, amount = load.of(self.limit.measure), self.limit.amount
        if self.limit.measure is Measure.PARALLEL:
            return -(-taken // amount)
        if self.limit.window_ms < _COUNTED_FROM_MS:
            return -(-taken * self.limit.window_ms // amount)
        return max(-(-taken // amount) - 1, 0) * self.limit.window_ms


Constraints = Mapping[Scope, Sequence[Constraint]]


@dataclass(frozen=True, slots=True)
class Alternative:
    """One deployment that may serve a part of the run."""

    scopes: tuple[Scope, ...]
    """Its provider's and its own."""
    load: Load
    """What the whole part would take there."""


@dataclass(frozen=True, slots=True)
class RunTime:
    """How long a run takes."""

    total_ms: int
    """One call's time and the longest of all constraints."""
    limited_by: str | None
    """The constraint that takes longest; None where it takes no longer than a single call does."""


def limit_constraints(scope: Scope, limits: Iterable[Limit]) -> tuple[Constraint, ...]:
    """The constraints of a scope's limits: `openai/gpt-5-mini output tokens/min`."""
    return tuple(Constraint(f"{name_of(scope)} {words_of(each.measure, each.window_ms)}", each) for each in limits)


def slots_constraint(provider: str, slots: int) -> Constraint:
    """The constraint of the calls that the living workers may have in flight to a provider: `openai slots, 256`."""
    return Constraint(f"{provider} slots, {slots}", Limit(Measure.PARALLEL, slots, 0))


def time_of(parts: Sequence[Sequence[Alternative]], constraints: Constraints, everywhere: Scope) -> RunTime:
    """Say how long it takes to serve all parts side by side.

    Each part has at least one alternative, and each provider a constraint. All loads also count in the scope
    `everywhere`: the caller's key.
    """
    loads: dict[Scope, Load] = {}
    longest_call_ms = 0
    for alternatives in parts:
        for alternative, load in _split(alternatives, constraints):
            for scope in (*alternative.scopes, everywhere):
                loads[scope] = loads.get(scope, Load()) + load
            longest_call_ms = max(longest_call_ms, load.busy_ms // max(load.calls, 1))
    times = [(each.time_ms(load), each) for scope, load in loads.items() for each in constraints.get(scope, ())]
    binding_ms, binding = max(times, key=lambda each: each[0], default=(0, None))
    words = binding.words if binding is not None and binding_ms > longest_call_ms else None
    return RunTime(binding_ms + longest_call_ms, words)


def _split(alternatives: Sequence[Alternative], constraints: Constraints) -> Iterable[tuple[Alternative, Load]]:
    """Split a part over its deployments: the faster one is alone, the more it gets."""
    paces = [_WHOLE // max(_alone_ms(each, constraints), 1) for each in alternatives]
    total, before = sum(paces), 0
    for each, pace in zip(alternatives, paces, strict=True):
        yield each, _between(each.load, before, before + pace, total)
        before += pace


def _alone_ms(alternative: Alternative, constraints: Constraints) -> int:
    found = (each for scope in alternative.scopes for each in constraints.get(scope, ()))
    return max((each.time_ms(alternative.load) for each in found), default=0)


def _between(load: Load, start: int, end: int, total: int) -> Load:
    """The share of a load from one place to another on its way to `total`: all shares together are the whole."""

    def share(amount: int) -> int:
        return amount * end // total - amount * start // total

    demand = load.demand
    shares = Demand(share(demand.input_tokens), share(demand.output_tokens), share(demand.cost_nanousd))
    return Load(share(load.calls), shares, share(load.busy_ms))
