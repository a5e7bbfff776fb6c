"""Admission: at which gate a job waits, what it needs to pass, and what becomes of it when it cannot."""

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import partial

from router.choice import ROOM_MS, places
from router.routes import Route
from router.routing import PATIENCE_MS, OnLimit
from store.claim import ClaimedJob
from store.limits import Grant
from workers.conclusion import policy_of
from workers.gate import Gate
from workers.health import Health
from workers.impatience import Leaving, Moved, Waiting, is_broken, leaving, waits
from workers.limiter import Limiter
from workers.queues import is_batch
from workers.standings import Standings

_THINK_S = 0.2
_MOST_MOVED = 16
"""Lines that leave at once for the same reason: the standing of the place they go to is a second old."""


class Admission:
    """The lanes' doorman; one per process."""

    def __init__(
        self,
        route: Callable[[str], Route | None],
        limiter: Limiter,
        health: Health,
        standings: Standings,
    ) -> None:
        self.limiter = limiter
        self.health = health
        self.standings = standings
        self._route = route
        self._thought_s: dict[Gate, float] = {}

    def gate_of(self, job: ClaimedJob) -> Gate:
        """The gate at which a job waits; its route is known."""
        route = self._route(job.route)
        assert route is not None
        return self.limiter.gate(route.at(job.route_index), job.key_id)

    def allowance(self, gate: Gate) -> int:
        """How many more lines may start at a gate now."""
        return self.health.allowance(gate)

    async def ask(self, gate: Gate, jobs: Sequence[ClaimedJob], *, lines: bool) -> Grant:
        """Take permits for the first of these jobs. Never fails."""
        return await self.limiter.ask(gate, jobs, lines=lines)

    def leaving(self, gate: Gate, grant: Grant) -> dict[tuple[bytes, int], Leaving]:
        """Say which of the jobs at a gate that got no permits leave it, and how."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._thought_s.get(gate, 0.0):
            return {}
        self._thought_s = {each: until_s for each, until_s in self._thought_s.items() if now_s < until_s}
        found: dict[tuple[bytes, int], Leaving] = {}
        moved = 0
        per_minute = self.health.book(gate.deployment).per_minute(self.limiter.now_ms())
        flees = is_broken(grant.binding) or any(self.limiter.storms(each.scope) for each in gate.scopes)
        most = len(gate) if flees else _MOST_MOVED
        for job, wait_ms in waits(list(gate), grant, per_minute):
            if moved >= most:
                break  # the rest has its turn in a moment
            route = self._route(job.route)
            assert route is not None
            elsewhere = partial(self._elsewhere, job, route)
            on_limit = OnLimit(job.on_limit) if job.on_limit else route.on_limit
            waiting = Waiting(job, wait_ms, on_limit, is_single=not is_batch(job.queue))
            if left := leaving(waiting, grant.binding, elsewhere, flees=flees):
                found[job.id, job.n] = left
                moved += isinstance(left, Moved)
        if not found:
            self._thought_s[gate] = now_s + _THINK_S
        return found

    def _elsewhere(self, job: ClaimedJob, route: Route, wait_ms: int) -> int | None:
        """A place with room, of the same model unless the wait here is longer than our patience."""
        if len(route.deployments) == 1:
            return None
        here = route.known(job.route_index)
        among = places(route, tried=job.tried, policy=policy_of(job, route), after=None, at=here)
        place = self.standings.choose(route, among, random.random())
        if place is None:
            return None
        standing = self.standings.of(route.deployments[place])
        if standing.closed is not None or standing.wait_ms > ROOM_MS:
            return None
        is_same_model = route.deployments[place].step == route.deployments[here].step
        return place if is_same_model or wait_ms > PATIENCE_MS else None
