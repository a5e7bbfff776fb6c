"""Permits: what a process asks for before it starts calls, and what it is granted."""

from dataclasses import dataclass

from providers.limit import Demand, Limit, Measure
from router.scope import Scope, ScopeLimits
from router.standing import Closed

MOST_DEMANDS = 128


@dataclass(frozen=True, slots=True)
class Ask:
    """May these calls start now, as many from the front as there is room for?"""

    scopes: tuple[ScopeLimits, ...]
    """Every scope that a call counts in, each with the limits that are set for it; 1 to 3, the provider first."""
    demands: tuple[Demand, ...]
    """Of the waiting calls, in order; at most `MOST_DEMANDS`, the rest is not looked at."""
    is_batch: bool
    """Batch work leaves the reserve alone, and gets nothing while interactive work waits."""
    running: tuple[int, ...]
    """Per scope: this process's calls in flight, without what this ask may grant."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What refused the first call that was not granted."""

    scope: Scope
    measure: Measure | None
    """None: the scope is closed."""
    closed: Closed | None
    """Why, if it is closed."""
    amount: int
    """The limit in force; 0 when the scope is closed."""
    used_permille: int
    """The share of it that was used over its last window; above 1,000 when more was used than allowed."""
    wait_ms: int
    """About how long until the call may start, as far as this scope goes."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to an `Ask`."""

    granted: int
    """That many from the front may start now."""
    wait_ms: int
    """When to ask again for the next one: 1 to 1,000, or until a closed scope opens; 0 when all were granted."""
    binding: Binding | None
    """What stands in the way of the next one; None when all were granted, or a counted window is not seeded."""
    unseeded: tuple[tuple[Scope, Limit], ...] = ()
    """Counted windows that Redis knows nothing of: nothing is granted until `seed` tells what was used in them."""
