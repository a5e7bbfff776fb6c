"""How one attempt ended, what its cost rests on, and the kinds of ledger lines: closed sets."""

from enum import StrEnum


class AttemptOutcome(StrEnum):
    """Where one call to a deployment stands."""

    STARTED = "started"  # written ahead; the call is running, or its worker died
    OK = "ok"  # gave the job its answer
    LATE_OK = "late_ok"  # gave an answer that the job no longer needed; it still costs
    ERROR = "error"  # refused or failed, and surely not billed for an answer we lost
    UNKNOWN = "unknown"  # may have been served and billed; nothing came back
    RELEASED = "released"  # given back before it was sent: no call was made, nothing is counted


class CostBasis(StrEnum):
    """What an attempt's cost figure rests on."""

    REPORTED = "reported"  # the provider's own usage or price
    ESTIMATED = "estimated"  # our estimate, the provider reported nothing credible
    UNKNOWN = "unknown"  # no price or no usage is known: exposure, never 0
    NONE = "none"  # nothing to pay


class LedgerKind(StrEnum):
    """What a ledger line records."""

    RESERVE = "reserve"
    SETTLE = "settle"
    RELEASE = "release"
