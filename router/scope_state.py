"""The state of a scope as it is told to people: how full its limits are, whether it is closed, who is busy there.

Only what is read of it; whoever measures has the values.
"""

from collections.abc import Sequence
from typing import Protocol

from providers.limit import Measure
from router.standing import Closed


class Gauge(Protocol):
    """One limit and how much of it is used up."""

    @property
    def measure(self) -> Measure: ...

    @property
    def window_ms(self) -> int:
        """0 for calls in flight."""
        ...

    @property
    def amount(self) -> int: ...

    @property
    def used(self) -> int:
        """Within the last window."""
        ...

    @property
    def wait_ms(self) -> int:
        """Until there is room for a call again; 0 where there is."""
        ...

    @property
    def source(self) -> str:
        """`configured`, `header` or `learned`."""
        ...


class ScopeState(Protocol):
    """Sums over the living processes; they report once a second."""

    @property
    def closed(self) -> Closed | None: ...

    @property
    def closed_for_ms(self) -> int: ...

    @property
    def is_probing(self) -> bool:
        """One call at a time finds out whether it is open again."""
        ...

    @property
    def gauges(self) -> Sequence[Gauge]: ...

    @property
    def in_flight(self) -> int: ...

    @property
    def waiting(self) -> int:
        """Claimed jobs that wait for a permit or a slot."""
        ...

    @property
    def per_minute(self) -> int:
        """Calls that it took in the last minute."""
        ...


def used_permille(gauge: Gauge) -> int:
    """How much of a limit is used up, in thousandths."""
    return 1_000 * gauge.used // gauge.amount if gauge.amount > 0 else 1_000


def tightest(state: ScopeState) -> Gauge | None:
    """The fullest limit of a scope; None where nothing is limited."""
    return max(state.gauges, key=used_permille, default=None)
