"""The estimate of a run: what a batch will cost and how long it will take, before anything is spent. Pure.

Both are ranges. Low: every answer is typical, at the cheapest deployment. High: every answer is as long as its request
allows, or else its model, at the dearest of the deployments that could serve it. What a price is not known for has no
cost, and is named; it never counts as nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from providers.completion import Usage
from providers.limit import Demand, Limit
from providers.price import Price
from router.choice import places
from router.cost import cost_nanousd
from router.queues import batch_queue
from router.reservation import ASSUMED_OUTPUT_TOKENS, PriceOf
from router.routes import Deployment, Route
from router.run_survey import Asked, Part, Survey
from router.run_time import (
    CALL_MS,
    CALL_MS_PER_OUTPUT_TOKEN,
    Alternative,
    Constraint,
    Load,
    limit_constraints,
    slots_constraint,
    time_of,
)
from router.scope import Scope, provider_scope
from router.standing import Closed
from router.waiting_reason import Due, Factor, Reason, Surroundings, reason_of


@dataclass(frozen=True, slots=True)
class Range:
    """From the least to the most that is to be expected."""

    low: int
    high: int

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.high + other.high)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under what a run would begin now."""

    resolve: Callable[[str], Route | None]
    """The route of a model name."""
    price: PriceOf
    limits: Mapping[Scope, Sequence[Limit]]
    """Those in force, of providers, of deployments and of the caller's key."""
    key: Scope
    by_operator: Mapping[Scope, Closed]
    """The providers and deployments that are paused or drained."""
    workers: Mapping[str, int]
    """Living workers by the queue that they serve."""


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """What the lines of one model take."""

    model: str
    lines: int
    input_tokens: int
    output_tokens: Range
    cost_nanousd: Range | None
    """None where a deployment that could serve it has no known price."""
    served_by: tuple[str, ...]
    """`provider/model` of all that could serve it, the preferred first."""


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """What a run takes."""

    models: tuple[ModelEstimate, ...]
    cost_nanousd: Range | None
    """Of the models whose price is known; None where none is."""
    duration_ms: Range | None
    """None where a person has to act first, as `limited_by` says."""
    limited_by: str
    """What binds where every answer is typical, in the words in which jobs wait."""


@dataclass(frozen=True, slots=True)
class _Work:
    """A part of the run with the deployments that could serve it."""

    part: Part
    asked: Asked
    could: tuple[Deployment, ...]

    @property
    def output(self) -> Range:
        known = [each.target.max_output_tokens for each in self.could]
        most = max(ASSUMED_OUTPUT_TOKENS if each is None else each for each in known)
        typical = self.asked.typical_output_tokens
        return Range(typical, max(self.asked.most_output_tokens(most), typical))


def could_serve(name: str, resolve: Callable[[str], Route | None]) -> tuple[Deployment, ...]:
    """The deployments that may serve a line of a model, the preferred first; none where it has no route."""
    route = resolve(name)
    if route is None:
        return ()
    return tuple(route.deployments[at] for at in places(route, tried=0, policy=route.failover, after=None))


def estimate_run(survey: Survey, conditions: Conditions) -> RunEstimate:
    """Estimate a run. Parts whose model has no route are left out."""
    found = (_Work(part, asked, could_serve(part.model, conditions.resolve)) for part, asked in survey.parts.items())
    works = [work for work in found if work.could]
    models = tuple(_estimate(works, name, conditions) for name in dict.fromkeys(work.part.model for work in works))
    duration_ms, limited_by = _duration(works, conditions)
    return RunEstimate(models, _sum([each.cost_nanousd for each in models]), duration_ms, limited_by)


def _estimate(works: Sequence[_Work], model: str, conditions: Conditions) -> ModelEstimate:
    own = [work for work in works if work.part.model == model]
    costs = [_cost(work, conditions) for work in own]
    return ModelEstimate(
        model,
        sum(work.asked.lines for work in own),
        sum(work.asked.input_tokens for work in own),
        sum((work.output for work in own), Range(0, 0)),
        None if None in costs else _sum(costs),
        tuple(f"{each.provider}/{each.model}" for each in own[0].could),
    )


def _sum(ranges: Sequence[Range | None]) -> Range | None:
    """The sum of those that are known; None where none is."""
    known = [each for each in ranges if each is not None]
    return sum(known, Range(0, 0)) if known else None


def _cost(work: _Work, conditions: Conditions) -> Range | None:
    prices = [_price(work, each, conditions) for each in work.could]
    known = [price for price in prices if price is not None]
    if len(known) < len(prices):
        return None
    low, high = (Usage(work.asked.input_tokens, tokens) for tokens in (work.output.low, work.output.high))
    return Range(min(cost_nanousd(low, each) for each in known), max(cost_nanousd(high, each) for each in known))


def _price(work: _Work, deployment: Deployment, conditions: Conditions) -> Price | None:
    """The price of its tier, the ordinary one where the deployment has no such tier, by prompts of mean length."""
    prompt_tokens = work.asked.input_tokens // work.asked.lines
    special = conditions.price(deployment, prompt_tokens, work.part.service_tier)
    return special or conditions.price(deployment, prompt_tokens, None)


def _duration(works: Sequence[_Work], conditions: Conditions) -> tuple[Range | None, str]:
    """How long all of it takes, and what binds."""
    open_: list[tuple[_Work, list[Deployment]]] = []
    for work in works:
        takes = [each for each in work.could if _obstacle(each, conditions) is None]
        if not takes:
            obstacle = _obstacle(work.could[0], conditions)
            assert obstacle is not None
            return None, obstacle.limited_by
        step = next(groupby(takes, key=lambda each: (each.tier, each.step)))[1]
        open_.append((work, list(step)))
    constraints = _constraints([each for _, taken in open_ for each in taken], conditions)
    low, high = (
        time_of(
            [[_alternative(work, each, conditions, is_high=is_high) for each in taken] for work, taken in open_],
            constraints,
            conditions.key,
        )
        for is_high in (False, True)
    )
    return Range(low.total_ms, high.total_ms), low.limited_by or Factor.NOTHING.value


def _obstacle(deployment: Deployment, conditions: Conditions) -> Reason | None:
    """What only a person can take out of a deployment's way: a pause, or a queue that no worker serves."""
    queue = batch_queue(deployment.provider)
    scopes = (provider_scope(deployment.provider), deployment.scope)
    by_operator = {each: conditions.by_operator[each] for each in scopes if each in conditions.by_operator}
    is_served = conditions.workers.get(queue, 0) > 0
    around = Surroundings(queue, deployment.scope.name, {}, by_operator, is_served=is_served, slots=0)
    reason = reason_of(around, Due(0))
    return None if reason.factor is Factor.NOTHING else reason


def _constraints(deployments: Sequence[Deployment], conditions: Conditions) -> dict[Scope, tuple[Constraint, ...]]:
    """The constraints of these deployments, of their providers and of the key."""
    found = {
        scope: limit_constraints(scope, conditions.limits.get(scope, ()))
        for scope in (conditions.key, *(each.scope for each in deployments))
    }
    for each in deployments:
        scope = provider_scope(each.provider)
        slots = each.slots * conditions.workers[batch_queue(each.provider)]
        limits = limit_constraints(scope, conditions.limits.get(scope, ()))
        found[scope] = (*limits, slots_constraint(each.provider, slots))
    return found


def _alternative(work: _Work, deployment: Deployment, conditions: Conditions, *, is_high: bool) -> Alternative:
    """What a part would take if all of it went to one deployment."""
    asked, output = work.asked, work.output
    written = output.high if is_high else output.low
    price = _price(work, deployment, conditions)
    cost = 0 if price is None else cost_nanousd(Usage(asked.input_tokens, written), price)
    counted = output.high if deployment.counts_asked else written
    busy_ms = asked.lines * CALL_MS + written * CALL_MS_PER_OUTPUT_TOKEN
    bound_ms = asked.lines * deployment.target.total_timeout_ms
    load = Load(asked.lines, Demand(asked.input_tokens, counted, cost), min(busy_ms, bound_ms))
    return Alternative((provider_scope(deployment.provider), deployment.scope), load)
