"""Standings: how every deployment is doing, for those who choose one: hand-out, submission, and moves.

What all processes know comes with the limiter's reports, once a second; what this process saw itself counts at once.
A closed deployment whose time is over is offered to one job every few seconds, which thereby is its probe.
"""

import random
from collections.abc import Callable, Sequence

from providers.completion import Usage
from router.choice import Chosen, choose, moved_for, places
from router.routes import Deployment, Route
from router.routing import FailoverPolicy
from router.scope import Scope, provider_scope
from router.standing import Closed, Standing
from workers.limiter import Limiter

_TYPICAL = Usage(prompt_tokens=1_000, completion_tokens=500)
_PROBE_EVERY_MS = 2_000
_PROBE_OFFER_MS = 50

CostOf = Callable[[Deployment, Usage], int | None]
"""`(deployment, usage) -> nano-dollars`, None where the price is not known."""


class Standings:
    """Standings as one process sees them."""

    def __init__(self, limiter: Limiter, cost_of: CostOf, now_ms: Callable[[], int]) -> None:
        self._limiter = limiter
        self._cost_of = cost_of
        self._now_ms = now_ms
        self._typical: dict[Scope, int | None] = {}
        self._probed_at_ms: dict[Scope, int] = {}

    def of(self, deployment: Deployment) -> Standing:
        """One deployment's standing, its provider's included."""
        scopes = (provider_scope(deployment.provider), deployment.scope)
        states = [state for scope in scopes if (state := self._limiter.states.get(scope)) is not None]
        own = self._limiter.states.get(deployment.scope)
        closed, closed_ms = self._closed(scopes)
        if closed is Closed.RATE_LIMIT and any(map(self._limiter.storms, scopes)):
            closed = Closed.FAILING
        gauges = [gauge for state in states for gauge in state.gauges]
        used = max((1_000 * gauge.used // gauge.amount for gauge in gauges), default=0)
        return Standing(
            closed=closed,
            wait_ms=closed_ms if closed else max((gauge.wait_ms for gauge in gauges), default=0),
            headroom_permille=max(1_000 - used, 0),
            in_flight=own.in_flight if own else self._limiter.running[deployment.scope],
            waiting=own.waiting if own else 0,
            per_minute=own.per_minute if own else 0,
            us_per_output_token=own.us_per_output_token if own else None,
            typical_nanousd=self._typical_nanousd(deployment),
        )

    def send_to(self, route: Route, policy: FailoverPolicy | None) -> Chosen:
        """Choose the place that a new job goes to first."""
        among, draw = places(route, tried=0, policy=policy or route.failover, after=None), random.random()
        place = self.choose(route, among, draw) or 0
        return Chosen(place, moved_for(route, place, among, self.of, draw=draw))

    def choose(self, route: Route, among: Sequence[int], draw: float) -> int | None:
        """Choose one of these places of a route for a job that can start now; `draw` is as for `router.choice`."""
        place = choose(route, among, self.offered, draw=draw)
        if place is not None and len(among) > 1 and self.of(route.at(place)).closed is not None:
            self._probed_at_ms[route.at(place).scope] = self._now_ms() - _PROBE_OFFER_MS - 1  # this job is the probe
        return place

    def offered(self, deployment: Deployment) -> Standing:
        """The standing, open where it is time for a probe."""
        standing = self.of(deployment)
        if standing.closed is None or standing.wait_ms or standing.closed in (Closed.PAUSED, Closed.DRAINING):
            return standing
        now_ms = self._now_ms()
        probed_at_ms = self._probed_at_ms.setdefault(deployment.scope, now_ms)
        if now_ms >= probed_at_ms + _PROBE_EVERY_MS:
            self._probed_at_ms[deployment.scope] = now_ms
        elif now_ms > probed_at_ms + _PROBE_OFFER_MS:
            return standing
        return Standing(in_flight=standing.in_flight, typical_nanousd=standing.typical_nanousd)

    def _closed(self, scopes: tuple[Scope, Scope]) -> tuple[Closed | None, int]:
        """Why neither provider nor deployment take calls, and for how long yet."""
        for scope in scopes:
            if (live := self._limiter.live.state_of(scope)) is not None:
                return live, 0
        closures = [found for scope in scopes if (found := self._limiter.closure(scope)) is not None]
        return max(closures, key=lambda found: found[1], default=(None, 0))

    def _typical_nanousd(self, deployment: Deployment) -> int | None:
        if deployment.scope not in self._typical:
            self._typical[deployment.scope] = self._cost_of(deployment, _TYPICAL)
        return self._typical[deployment.scope]
