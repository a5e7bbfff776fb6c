"""The retry table: what each error class means for the next try.

Three questions per class: may the same deployment be called again, may another one be called, and does the failure
use up a try? The rest (how long to wait, when to stop) is arithmetic in `router.decision`; which other one is for
`router.choice`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from providers.failure import ErrorClass, Failure
from router.routing import Tier


class Here(StrEnum):
    """How often the deployment that failed may be called again while another one is left to try."""

    NEVER = "never"
    ONCE_MORE = "once_more"
    UP_TO_LIMIT = "up_to_limit"
    """Until `tries_per_provider`."""
    WAIT = "wait"
    """As long as the wait is short: the deployment works, it only has no room."""


class Label(StrEnum):
    """Whose turn it is after the final failure."""

    RETRYABLE = "retryable"
    """The same request may succeed later."""
    YOUR_FIX = "your_fix"
    """The request, the key, the account or a limit of the caller's must change first."""
    PROVIDER = "provider"
    """The provider misbehaved; another one, or a later try, may do better."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one error class means."""

    here: Here
    failover: bool
    """Another deployment may be called."""
    uses_try: bool
    """Counts towards `max_tries`. False where we only wait for room."""
    possibly_billed: bool
    """Always counted as a call of unknown outcome. Of the other classes only the failures that say so themselves
    (`Failure.outcome_unknown`) are: the request was sent, and whether it was served nobody told us."""
    label: Label
    only: Tier | None = None
    """The one tier of the route that may be called instead; None: the model's own deployments and its fallbacks."""


def _transient(label: Label) -> Rule:
    return Rule(Here.UP_TO_LIMIT, failover=True, uses_try=True, possibly_billed=False, label=label)


def _not_there() -> Rule:
    return Rule(Here.NEVER, failover=True, uses_try=True, possibly_billed=False, label=Label.YOUR_FIX)


def _final(label: Label = Label.YOUR_FIX) -> Rule:
    return Rule(Here.NEVER, failover=False, uses_try=True, possibly_billed=False, label=label)


def _mended_by(only: Tier) -> Rule:
    return Rule(Here.NEVER, failover=True, uses_try=True, possibly_billed=False, label=Label.YOUR_FIX, only=only)


RULES: Mapping[ErrorClass, Rule] = MappingProxyType(
    {
        ErrorClass.RATE_LIMIT: Rule(
            Here.WAIT, failover=True, uses_try=False, possibly_billed=False, label=Label.RETRYABLE
        ),
        ErrorClass.OVERLOADED: _transient(Label.RETRYABLE),
        ErrorClass.TIMEOUT: _transient(Label.RETRYABLE),
        ErrorClass.NETWORK: _transient(Label.RETRYABLE),
        ErrorClass.SERVER_ERROR: _transient(Label.PROVIDER),
        ErrorClass.AUTH: _not_there(),
        ErrorClass.PERMISSION: _not_there(),
        ErrorClass.BILLING: _not_there(),
        ErrorClass.NOT_FOUND: _not_there(),
        ErrorClass.BAD_REQUEST: _final(),
        ErrorClass.CONTEXT_LENGTH: _mended_by(Tier.CONTEXT_WINDOW),
        ErrorClass.CONTENT_FILTER: _mended_by(Tier.CONTENT_POLICY),
        ErrorClass.BUDGET: _final(),
        ErrorClass.CANCELLED: _final(),
        ErrorClass.EXPIRED: _final(Label.RETRYABLE),
        ErrorClass.INVALID_RESPONSE: Rule(
            Here.ONCE_MORE, failover=True, uses_try=True, possibly_billed=True, label=Label.PROVIDER
        ),
        ErrorClass.POISON: _final(),
        ErrorClass.INTERNAL: Rule(
            Here.UP_TO_LIMIT, failover=False, uses_try=True, possibly_billed=False, label=Label.RETRYABLE
        ),
    }
)

INEXPRESSIBLE = _not_there()
"""A request that a deployment cannot be told: nothing is wrong with it, and another deployment may take it."""


def rule_of(failure: Failure) -> Rule:
    """Return the rule for one failure."""
    return INEXPRESSIBLE if failure.inexpressible else RULES[failure.error_class]
