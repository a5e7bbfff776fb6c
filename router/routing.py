"""The words of routing: how a deployment is chosen, where a job may move, what happens at a limit."""

from enum import StrEnum

PATIENCE_MS = 5_000
"""A longer wait than this is not worth it while another deployment has room, be it another model's."""


class Strategy(StrEnum):
    """How a route's deployments of equal order share the work."""

    WEIGHTED = "weighted"
    """By chance, in proportion to `weight`."""
    LEAST_BUSY = "least_busy"
    """The one with the most free room under its limits, then with the fewest calls for its weight."""
    LOWEST_LATENCY = "lowest_latency"
    """The one that lately needed the least time for an output token."""
    LOWEST_COST = "lowest_cost"
    """The cheapest that has room."""
    IN_ORDER = "in_order"
    """The first of the file that has room."""


class FailoverPolicy(StrEnum):
    """How far a job may move away from the deployment that was chosen for it."""

    STRICT = "strict"
    """Nowhere: this model at this provider only."""
    SAME_MODEL = "same_model"
    """To any deployment of the model that was asked for."""
    CHAIN = "chain"
    """To the model's fallbacks as well."""


class OnLimit(StrEnum):
    """What a caller wants when a limit is reached."""

    WAIT = "wait"
    """Wait for room, up to the deadline."""
    REJECT = "reject"
    """Be told at once, with 429."""


class Tier(StrEnum):
    """Why a deployment stands in a route: who may be sent there, and after what."""

    OWN = "own"
    """It serves the model that was asked for."""
    FALLBACK = "fallback"
    """A fallback after any failure that another deployment might not have."""
    CONTEXT_WINDOW = "context_window"
    """Only after the request was too long for a deployment."""
    CONTENT_POLICY = "content_policy"
    """Only after a deployment's content filter refused it."""
