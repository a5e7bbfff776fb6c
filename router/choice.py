"""The choice of a deployment: where a job may go now, and which of these places is the best.

`places` says where a job may go:

1. At first, and after most failures: to a deployment of the model itself, or under the policy `chain` of a fallback.
2. After a refusal that a list of its own mends (too long, filtered): only to that list's deployments; there the job
   stays, whatever fails next.
3. Under the policy `strict`: nowhere, once it has a place.
4. Each place once; when all had their turn the round begins again, unless the failure is one that time does not mend.

`choose` says which is the best, by the first of these rules that tells two places apart:

1. One that takes calls soon (it is open, or held by a rate limit, and a call waits at most `PATIENCE_MS`) before one
   that does not.
2. Among those that do, the model that was asked for before its first fallback, that before the second, and so on:
   another model answers only where every deployment of the earlier ones is closed, or would keep the call for too long.
3. Then one with room (a call waits at most `ROOM_MS`) before one without, then the lower `order`.
4. Then the route's strategy among those with room; among the others the shortest wait.
5. Where none takes calls soon: the one that opens first, to within `PATIENCE_MS`; there the earlier model wins, then
   the lower `order`. One that an operator has paused or drains comes last: nobody knows when it opens.

What is still equal is drawn by weight.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from providers.failure import ErrorClass
from router.deployment import Deployment
from router.failure_rules import RULES, Here
from router.routes import Route
from router.routing import PATIENCE_MS, FailoverPolicy, Strategy, Tier
from router.standing import Closed, Standing

ROOM_MS = 100
"""A deployment has room when a call would wait no longer than this: about what asking for a permit takes."""

_BY_OPERATOR = (Closed.PAUSED, Closed.DRAINING)
_UNKNOWN_COST = 1 << 62


@dataclass(frozen=True, slots=True)
class Chosen:
    """Where a new job goes."""

    place: int
    moved_for: ErrorClass | None = None
    """Why it does not go to the place that it would have gone to were all open; None when it does."""


Rank = tuple[int, ...]
StandingOf = Callable[[Deployment], Standing]


def places(
    route: Route, *, tried: int, policy: FailoverPolicy, after: ErrorClass | None, at: int | None = None
) -> tuple[int, ...]:
    """List the places of a route that a job may be sent to, the preferred first; empty where it can go nowhere.

    `tried` has bit n set where the deployment n failed the job; `after` is the failure that it leaves for, None where
    nothing failed (it has no place yet, or waits at one). `at` is its present place, which is never listed.
    """
    if policy is FailoverPolicy.STRICT and (after or at is not None):
        return ()
    tiers = _tiers(route, policy, after, at)
    allowed = tuple(place for place, each in enumerate(route.deployments) if each.tier in tiers and place != at)
    untried = tuple(place for place in allowed if not tried >> place & 1)
    begins_again = after is None or RULES[after].here is not Here.NEVER
    return untried or (allowed if begins_again else ())


def choose(route: Route, candidates: Sequence[int], standing: StandingOf, *, draw: float) -> int | None:
    """Return the best of these places, by the rules above; None only where there are no candidates.

    `draw` is a random number in [0, 1), drawn by the caller.
    """
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    ranks = {place: _rank(route, place, standing(route.deployments[place])) for place in candidates}
    best = min(ranks.values())
    return _drawn(route, [place for place, rank in ranks.items() if rank == best], draw)


def moved_for(
    route: Route, place: int, candidates: Sequence[int], standing: StandingOf, *, draw: float
) -> ErrorClass | None:
    """Say why a new job goes to this place and not to the one that the same draw gives when all take calls.

    None where it goes there, or where deployments of one model that take calls merely share the work.
    """
    first = choose(route, candidates, lambda each: replace(standing(each), closed=None, wait_ms=0), draw=draw)
    if first is None or place == first:
        return None
    closed = standing(route.deployments[first]).closed
    if closed is None and route.deployments[place].step == route.deployments[first].step:
        return None
    return ErrorClass.RATE_LIMIT if closed is None else closed.error_class


def onward(
    route: Route, candidates: Sequence[int], standing: StandingOf, *, after: ErrorClass, draw: float
) -> int | None:
    """Return the place to leave for after a failure, of those that `places` lists; None where staying is better.

    A failure that may pass is better waited out here than at a place that is closed as well.
    """
    if RULES[after].here is not Here.NEVER:
        candidates = [place for place in candidates if _is_soon(standing(route.deployments[place]))]
    return choose(route, candidates, standing, draw=draw)


def _tiers(route: Route, policy: FailoverPolicy, after: ErrorClass | None, at: int | None) -> tuple[Tier, ...]:
    if after and (only := RULES[after].only):
        return (only,)
    here = Tier.OWN if at is None else route.deployments[at].tier
    if here in (Tier.CONTEXT_WINDOW, Tier.CONTENT_POLICY):
        return (here,)
    return (Tier.OWN, Tier.FALLBACK) if policy is FailoverPolicy.CHAIN else (Tier.OWN,)


def _is_soon(standing: Standing) -> bool:
    return standing.closed in (None, Closed.RATE_LIMIT) and standing.wait_ms <= PATIENCE_MS


def _rank(route: Route, place: int, standing: Standing) -> Rank:
    deployment = route.deployments[place]
    if not _is_soon(standing):
        by_operator, patiences = standing.closed in _BY_OPERATOR, standing.wait_ms // PATIENCE_MS
        return 1, by_operator, 0 if by_operator else patiences, deployment.step, deployment.order, place
    if standing.wait_ms > ROOM_MS or standing.closed:
        return 0, deployment.step, 1, deployment.order, standing.wait_ms
    return 0, deployment.step, 0, deployment.order, *_merit(route.strategy, place, deployment, standing)


def _merit(strategy: Strategy, place: int, deployment: Deployment, standing: Standing) -> Rank:
    """Measure a deployment with room by a strategy: the lowest is the best."""
    match strategy:
        case Strategy.WEIGHTED:
            return ()
        case Strategy.IN_ORDER:
            return (place,)
        case Strategy.LEAST_BUSY:
            calls = standing.in_flight + standing.waiting
            return -standing.headroom_permille, calls * 1_000 // deployment.weight
        case Strategy.LOWEST_LATENCY:
            return (standing.us_per_output_token or 0,)
        case Strategy.LOWEST_COST:
            return (_UNKNOWN_COST if standing.typical_nanousd is None else standing.typical_nanousd,)


def _drawn(route: Route, equals: Sequence[int], draw: float) -> int:
    """Draw one of these places in proportion to their weights."""
    left = draw * sum(route.deployments[place].weight for place in equals)
    for place in equals:
        left -= route.deployments[place].weight
        if left < 0:
            return place
    return equals[-1]
