"""Standing: how a deployment is doing right now, as far as choosing one goes. Values only; workers measure them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from providers.failure import ErrorClass


class Closed(StrEnum):
    """Why nothing, or only a probe, is sent somewhere for now."""

    RATE_LIMIT = "rate_limit"
    """It answered 429 and asked us to wait."""
    FAILING = "failing"
    """Its breaker is open: too many of its calls failed."""
    AUTH = "auth"
    """It refused the credential."""
    BILLING = "billing"
    """The account's quota or credit is used up."""
    PAUSED = "paused"
    """By an operator: nothing starts."""
    DRAINING = "draining"
    """By an operator: what was handed out still runs, nothing new is sent there."""

    @property
    def error_class(self) -> ErrorClass:
        """What a closure is called where failures are named."""
        return _CLASSES.get(self, ErrorClass.OVERLOADED)


_CLASSES: Mapping[Closed, ErrorClass] = MappingProxyType(
    {
        Closed.RATE_LIMIT: ErrorClass.RATE_LIMIT,
        Closed.AUTH: ErrorClass.AUTH,
        Closed.BILLING: ErrorClass.BILLING,
    }
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One deployment's standing, its provider's included."""

    closed: Closed | None = None
    """None: it takes calls."""
    wait_ms: int = 0
    """About how long a new call would wait for limits, or until a closed one is tried again."""
    headroom_permille: int = 1_000
    """The free share of its tightest limit; 1,000 where nothing is limited."""
    in_flight: int = 0
    """Calls under way, of all processes."""
    waiting: int = 0
    """Claimed jobs that wait for a permit or a slot, of all processes."""
    per_minute: int = 0
    """Calls that it took in the last minute."""
    us_per_output_token: int | None = None
    """Time of a call divided by the tokens that it wrote, decayed; None until measured."""
    typical_nanousd: int | None = None
    """Price of a call of 1,000 input and 500 output tokens; None where the price is not known."""
