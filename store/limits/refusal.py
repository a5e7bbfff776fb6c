"""A refusal: what a process knows when a provider has answered 429."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One 429, and what went before it."""

    retry_after_ms: int | None
    """How long the provider asks us to wait; None where it does not say."""
    per_minute: int
    """Calls of this process that were accepted in the last minute; at the pace so far, where it is not whole."""
    is_whole: bool
    """This process made calls for all of that minute."""
    has_limits: bool
    """A limit is configured, or headers told one: there is nothing to learn."""
