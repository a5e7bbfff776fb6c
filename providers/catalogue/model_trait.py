"""A model trait: what one model, at whatever provider, can or cannot take. A closed set.

Traits are data: rows of the catalogue give them to model names by pattern. A dialect asks for a trait, not for a name.
"""

from enum import StrEnum


class ModelTrait(StrEnum):
    """What a dialect must know of a model to write a request that it takes."""

    NO_SAMPLING = "no_sampling"
    """Refuses `temperature`, `top_p` and `top_k`."""
    ONE_SAMPLING = "one_sampling"
    """Refuses `temperature` together with `top_p`: the temperature is sent."""
    ADAPTIVE_THINKING = "adaptive_thinking"
    """Decides itself how much to think; effort is a word, not a number of tokens."""
    EFFORT = "effort"
    """Takes an effort word beside its thinking budget."""
    THINKING_BUDGET = "thinking_budget"
    """Thinks within a given number of tokens."""
    THINKING_LEVEL = "thinking_level"
    """Thinks at a named level."""
    NO_MINIMAL_THINKING = "no_minimal_thinking"
    """Has no level below `low`."""
    ALWAYS_THINKS = "always_thinks"
    """Cannot be told not to think."""
    JSON_SCHEMA = "json_schema"
    """Can be held to a JSON Schema by the provider itself."""
    JSON_WITH_TOOLS = "json_with_tools"
    """Takes a wish for JSON together with tools."""
    NO_FORCED_TOOLS = "no_forced_tools"
    """Refuses to be told that it must call a tool."""
    TOOL_CHOICE = "tool_choice"
    """Can be told which tool to call, where its provider grants that to some models only."""
    STRICT_TOOLS = "strict_tools"
    """Takes `strict` tools."""
    THOUGHT_SIGNATURES = "thought_signatures"
    """Wants the signatures of its thoughts back with every tool call."""
    LATE_SYSTEM = "late_system"
    """Takes system messages between the turns."""
    NO_PREFILL = "no_prefill"
    """Refuses a conversation that ends with the assistant's words."""
