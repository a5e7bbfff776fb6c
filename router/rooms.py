"""Rooms: how many more jobs each queue and each deployment may be handed now, and where a slice goes. Pure.

A slice belongs to no deployment until it is handed out. Each deployment is only given what it will need soon, so that
the rest stays free to go to whoever is done first:

1. What a queue has unclaimed stays within its window.
2. What a deployment has unclaimed stays within about five seconds of its work; where its limits make calls wait, the
   claimed jobs that wait in the processes count as well.
3. A closed deployment has no room. To find out whether it takes calls again, whoever gives the standings shows it as
   open now and then.
4. A slice goes to the model that was asked for. It goes to a fallback only where every deployment of the earlier
   models is closed, and not merely held by a rate limit for a moment: nobody waits for a batch's line, so it can wait
   for its own model.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from providers.failure import ErrorClass
from router.choice import choose, moved_for, places
from router.deployment import Deployment
from router.queues import batch_queue
from router.routes import Route
from router.routing import FailoverPolicy
from router.scope import Scope
from router.standing import Closed, Standing

_SLICES_AHEAD = 2
"""While one is claimed the next is on its way."""
_SOON_MS = 2_000
"""A rate limit that ends within this time keeps nothing from being handed out."""
_MOMENT_MS = 60_000
"""A rate limit that ends within this time is waited out, not fled from."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a hand-out goes by. Its functions do no I/O; they may be called from the database's thread."""

    queues: tuple[str, ...]
    """Whose single jobs are handed out. With a queue for batches among them slices are too, of all batches."""
    windows: Mapping[str, int]
    """How many unclaimed jobs each queue may have; of every queue."""
    resolve: Callable[[str], Route | None]
    """The route of a model name."""
    standing: Callable[[Deployment], Standing]
    draw: Callable[[], float]
    """A random number in [0, 1)."""
    slice_jobs: int
    """Lines of an ordinary slice."""
    lost: str
    """The queue of lines whose route is gone from the configuration: they fail when they are called."""


@dataclass(frozen=True, slots=True)
class Published:
    """Slices of one deployment that are published and not yet claimed."""

    queue: str
    route: str
    route_index: int
    jobs: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a slice goes."""

    queue: str
    route_index: int
    scope: Scope | None
    """The deployment's; None where the route is gone."""
    moved_for: ErrorClass | None = None
    """Why it does not go to the deployment that it would have gone to were all open; None when it does."""


class Rooms:
    """The rooms of one hand-out: they only get smaller."""

    def __init__(self, plan: Plan, jobs: Mapping[str, int], slices: Iterable[Published]) -> None:
        """`jobs` counts the single jobs of each queue that are published and not yet claimed."""
        self._plan = plan
        self._unclaimed = Counter(jobs)
        self._published: Counter[Scope] = Counter()
        self._standings: dict[Scope, Standing] = {}
        self._full: set[tuple[str, FailoverPolicy | None]] = set()
        self.full: set[str] = set()
        """The routes that were found to have no room, not even for a line that may go as far as any."""
        for each in slices:
            self._unclaimed[each.queue] += each.jobs
            route = plan.resolve(each.route)
            if route is not None and each.route_index < len(route.deployments):
                self._published[route.deployments[each.route_index].scope] += each.jobs

    def left(self, queue: str) -> int:
        """How many more jobs a queue may have; never negative."""
        return max(self._plan.windows.get(queue, 0) - self._unclaimed[queue], 0)

    def take(self, queue: str, jobs: int, scope: Scope | None = None) -> None:
        """Count jobs that are handed out, for a slice's also at its deployment."""
        self._unclaimed[queue] += jobs
        if scope is not None:
            self._published[scope] += jobs

    def place(self, name: str, policy: FailoverPolicy | None = None) -> Place | None:
        """Choose where the next slice of a route goes; None where there is no room for it now.

        `policy` is the lines' own; None means the route's.
        """
        if (name, policy) in self._full:
            return None
        route = self._plan.resolve(name)
        found = self._unknown() if route is None else self._place(route, policy or route.failover)
        if found is None:
            self._full.add((name, policy))
            if policy is FailoverPolicy.CHAIN:
                self.full.add(name)
        return found

    def has_any(self, name: str) -> bool:
        """Whether there is room for a line of a route that may go as far as any."""
        return self.place(name, FailoverPolicy.CHAIN) is not None

    def _unknown(self) -> Place | None:
        return Place(self._plan.lost, 0, None) if self.left(self._plan.lost) else None

    def _place(self, route: Route, policy: FailoverPolicy) -> Place | None:
        allowed = places(route, tried=0, policy=policy, after=None)
        for _, group in groupby(allowed, key=lambda index: route.deployments[index].step):
            of_model = list(group)
            with_room = [index for index in of_model if self._free(route.deployments[index]) > 0]
            if with_room:
                return self._chosen(route, with_room, allowed)
            if any(_is_worth_waiting(self._standing(route.deployments[index])) for index in of_model):
                return None
        return None

    def _chosen(self, route: Route, with_room: Sequence[int], allowed: Sequence[int]) -> Place | None:
        draw = self._plan.draw()
        index = choose(route, with_room, self._standing, draw=draw)
        if index is None:
            return None
        chosen, reason = route.deployments[index], moved_for(route, index, allowed, self._standing, draw=draw)
        return Place(batch_queue(chosen.provider), index, chosen.scope, reason)

    def _free(self, deployment: Deployment) -> int:
        """How many more jobs a deployment may be given, by its own standing and its queue's window."""
        window = self.left(batch_queue(deployment.provider))
        standing = self._standing(deployment)
        held = standing.closed is Closed.RATE_LIMIT and standing.wait_ms <= _SOON_MS
        if standing.closed is not None and not held:
            return 0
        ahead = max(_SLICES_AHEAD * self._plan.slice_jobs, standing.per_minute // 12, 2 * standing.in_flight)
        waiting = standing.waiting if standing.wait_ms or held else 0
        return min(ahead - self._published[deployment.scope] - waiting, window)

    def _standing(self, deployment: Deployment) -> Standing:
        known = self._standings.get(deployment.scope)
        if known is None:
            known = self._standings[deployment.scope] = self._plan.standing(deployment)
        return known


def _is_worth_waiting(standing: Standing) -> bool:
    """Whether a deployment without room will have some soon."""
    return standing.closed is None or (standing.closed is Closed.RATE_LIMIT and standing.wait_ms <= _MOMENT_MS)
