"""A service: one of the two that run these models, and what its requests must know of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """What sets one service apart; the rest of the dialect is the same."""

    has_files: bool
    """Keeps uploaded files and finds them by their ids."""
    knows_call_ids: bool
    """Takes the ids of tool calls; otherwise calls and results find each other by name and order."""
    wants_media_types: bool
    """Refuses an address without the media type of what lies there."""
    tier_header: str | None
    """The header that asks for a service tier; None where the body does."""


AI_STUDIO = Service(has_files=True, knows_call_ids=True, wants_media_types=False, tier_header=None)
"""The Gemini API of Google AI Studio."""
