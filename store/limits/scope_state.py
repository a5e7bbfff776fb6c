"""The state of a scope: what all processes together know of it, and what each tells the others."""

from dataclasses import dataclass
from enum import StrEnum

from providers.limit import Measure
from router.scope import Scope
from router.standing import Closed


class LimitSource(StrEnum):
    """Who told us of a limit."""

    CONFIGURED = "configured"
    """The file, a live edit, or the key's settings."""
    HEADER = "header"
    """The provider's response headers."""
    LEARNED = "learned"
    """Found out by being refused."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One limit in force, and how far it is used."""

    measure: Measure
    window_ms: int
    """0 for calls in flight."""
    amount: int
    used: int
    """In the last window (reservations of running calls included); calls in flight for `PARALLEL`."""
    wait_ms: int
    """About how long until the next call of usual size may start; 0: now."""
    source: LimitSource


@dataclass(frozen=True, slots=True)
class Report:
    """What one process tells of one scope, about once a second."""

    scope: Scope
    in_flight: int
    """Its calls under way."""
    waiting: int
    """Its jobs that wait for a permit or a slot."""
    per_minute: int
    """Calls of its own that were accepted in the last minute."""
    us_per_output_token: int | None
    """Time of its calls divided by the tokens written, decayed; None until measured."""


@dataclass(frozen=True, slots=True)
class ScopeState:
    """One scope, as all processes see it. The sums are over those that reported in the last 15 s."""

    scope: Scope
    closed: Closed | None
    """Why it is closed, or only probed; None: it is open."""
    closed_for_ms: int
    """Until it opens, or the next probe may go; 0 when open, or when a probe may go now."""
    is_probing: bool
    """One call at a time is let through, to find out."""
    strikes: int
    """Closures in a row without a success between them; `succeeded` forgets them."""
    gauges: tuple[Gauge, ...]
    in_flight: int
    waiting: int
    per_minute: int
    us_per_output_token: int | None
    """Mean of the reports, weighted by their calls in a minute."""
