"""The reason of a wait: what a queued job, or a batch, waits for, in words and figures. Pure.

The first of these that holds:

1. it is not due yet: a retry waits;
2. an operator has paused or drains its provider or deployment;
3. one of its scopes is closed: a 429's cool-down, an open breaker, a refused credential, an empty account;
4. a limit is nearly used up: the fullest of its scopes' limits, from 90 % on;
5. no living worker serves the queue;
6. all slots are busy;
7. nothing: it is about to start.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from router.limit_names import words_of
from router.scope import Scope, ScopeKind
from router.scope_state import Gauge, ScopeState, tightest, used_permille
from router.standing import Closed

NEARLY_FULL_PERMILLE = 900
_MINUTE_S = 60


class Factor(StrEnum):
    """What kind of thing holds the work up."""

    NOT_DUE = "not_due"
    OPERATOR = "operator"
    CLOSED = "closed"
    LIMIT = "limit"
    WORKERS = "workers"
    SLOTS = "slots"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of the queue and the deployment that the work waits for."""

    queue: str
    deployment: str
    """`provider/model`."""
    states: Mapping[Scope, ScopeState]
    """Of its provider, of it, and of the caller's key where that has limits; empty while Redis is away."""
    by_operator: Mapping[Scope, Closed]
    """Those of its scopes that are paused or drained."""
    is_served: bool
    """Whether a living worker serves the queue."""
    slots: int
    """Calls that the workers of the queue may have in flight to the provider, together."""


@dataclass(frozen=True, slots=True)
class Due:
    """When a job may start."""

    now_ms: int
    not_before_ms: int = 0
    after: str | None = None
    """The class of the failure that it waits after."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why work waits."""

    factor: Factor
    limited_by: str
    """The binding constraint in words and figures."""
    detail: str
    """What it means, or what to do about it: a sentence."""
    wait_ms: int | None = 0
    """For how long it holds at least; None where only a person ends it."""


def reason_of(around: Surroundings, due: Due) -> Reason:
    """Name the reason that binds."""
    found = (
        _not_due(due) or _by_operator(around) or _closed(around) or _limit(around) or _workers(around) or _slots(around)
    )
    return found or Reason(Factor.NOTHING, "nothing", "It is about to start.")


def limiting(states: Mapping[Scope, ScopeState], by_operator: Mapping[Scope, Closed]) -> Reason | None:
    """Say what holds a deployment back at all: an operator, a closure, or a limit; None where nothing does."""
    around = Surroundings("", "", states, by_operator, is_served=True, slots=0)
    return _by_operator(around) or _closed(around) or _limit(around)


def eta_s(reason: Reason, position: int | None, per_minute: int) -> int | None:
    """How many seconds until it starts: its wait, and then those before it at the pace of the last minute.

    None where that is not known: nothing moves, or a person has to act.
    """
    if reason.wait_ms is None or position is None:
        return None
    wait_s = -(-reason.wait_ms // 1000)
    if position == 0 and reason.factor in (Factor.NOT_DUE, Factor.NOTHING, Factor.CLOSED, Factor.LIMIT):
        return wait_s
    if per_minute <= 0:
        return None
    return max(wait_s, -(-(position + 1) * _MINUTE_S // per_minute))


def _not_due(due: Due) -> Reason | None:
    left_ms = due.not_before_ms - due.now_ms
    if left_ms <= 0:
        return None
    at = datetime.fromtimestamp(due.not_before_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    after = f", after {due.after}" if due.after else ""
    return Reason(Factor.NOT_DUE, f"retry in {span(left_ms)}{after}", f"It is tried again at {at}{after}.", left_ms)


def _by_operator(around: Surroundings) -> Reason | None:
    for scope, state in around.by_operator.items():
        words = f"{name_of(scope)} is {state}"
        detail = f"An operator has done so; `laneway queues resume {scope.name}` lets it run again."
        return Reason(Factor.OPERATOR, words, detail, None)
    return None


_CLOSURES: Mapping[Closed, tuple[str, str]] = MappingProxyType(
    {
        Closed.RATE_LIMIT: ("429 cooldown", "The provider answered 429; calls go on when its time is over."),
        Closed.FAILING: ("breaker open", "Too many of its calls failed; a single call finds out when it is back."),
        Closed.AUTH: ("credential refused", "Check its API key; a single call finds out when it is accepted again."),
        Closed.BILLING: ("quota or credit used up", "Top up its account; a single call finds out when it is."),
        Closed.PAUSED: ("paused", "An operator has done so."),
        Closed.DRAINING: ("draining", "An operator has done so."),
    }
)  # fmt: skip


def _closed(around: Surroundings) -> Reason | None:
    """The closure that lasts longest."""
    closures = [(state.closed_for_ms, scope, state) for scope, state in around.states.items() if state.closed]
    if not closures:
        return None
    _, scope, state = max(closures, key=lambda each: each[0])
    assert state.closed is not None
    words, detail = _CLOSURES[state.closed]
    rest = "now probed" if state.closed_for_ms <= 0 else span(state.closed_for_ms)
    return Reason(Factor.CLOSED, f"{name_of(scope)} {words}, {rest}", detail, max(state.closed_for_ms, 0))


def _limit(around: Surroundings) -> Reason | None:
    """The fullest limit of all scopes."""
    full = max(_fullest(around.states), key=lambda each: used_permille(each[1]), default=None)
    if full is None or used_permille(full[1]) < NEARLY_FULL_PERMILLE:
        return None
    scope, gauge = full
    return Reason(Factor.LIMIT, limit_words(scope, gauge), _limit_hint(scope, gauge), max(gauge.wait_ms, 0))


def _fullest(states: Mapping[Scope, ScopeState]) -> Iterator[tuple[Scope, Gauge]]:
    for scope, state in states.items():
        gauge = tightest(state)
        if gauge is not None:
            yield scope, gauge


def limit_words(scope: Scope, gauge: Gauge) -> str:
    """A limit and its use: `anthropic/claude-haiku output tokens/min, 97 % used, refill in 14 s`."""
    used = f"{name_of(scope)} {words_of(gauge.measure, gauge.window_ms)}, {used_permille(gauge) // 10} % used"
    return f"{used}, refill in {span(gauge.wait_ms)}" if gauge.wait_ms > 0 and gauge.window_ms else used


def _limit_hint(scope: Scope, gauge: Gauge) -> str:
    if scope.kind is ScopeKind.KEY:
        return "It is this key's own limit; its operator can raise it."
    if gauge.source == "configured":
        return "It is a configured limit: raise it, or add a deployment."
    return "It is the provider's own limit: add a deployment, or ask the provider for more."


def _workers(around: Surroundings) -> Reason | None:
    if around.is_served:
        return None
    words = f"workers: nothing consumes the queue {around.queue}"
    return Reason(Factor.WORKERS, words, "Start `laneway worker`, or one that serves this queue.", None)


def _slots(around: Surroundings) -> Reason | None:
    """All slots of the provider are taken, or claimed jobs wait there for one."""
    provider = next((state for scope, state in around.states.items() if scope.kind is ScopeKind.PROVIDER), None)
    if provider is None or (provider.in_flight < around.slots and not provider.waiting):
        return None
    name = around.deployment.partition("/")[0]
    words = f"{name} slots, {provider.in_flight} of {around.slots} busy"
    return Reason(Factor.SLOTS, words, "Raise max_parallel_requests, or start another worker.")


def name_of(scope: Scope) -> str:
    """Whose limit it is, for people. A key is its own caller's: nobody else is shown it."""
    return "this key's" if scope.kind is ScopeKind.KEY else scope.name


_UNITS: Sequence[tuple[int, str]] = ((86_400, "d"), (3_600, "h"), (60, "min"))


def span(ms: int) -> str:
    """A time for people: `400 ms`, `14 s`, `9 min`, `3 h`; rounded up."""
    if ms < 1_000:
        return f"{max(ms, 0)} ms"
    seconds = -(-ms // 1000)
    for unit_s, unit in _UNITS:
        if seconds >= 2 * unit_s:
            return f"{-(-seconds // unit_s)} {unit}"
    return f"{seconds} s"
