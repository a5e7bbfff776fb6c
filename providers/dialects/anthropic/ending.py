"""The end of a message: why it stopped, in OpenAI's words."""

from typing import Any

_SAME_AS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls"}


def openai_finish(word: Any) -> Any:
    """Return OpenAI's word for the usual ends. Rarer ones (`refusal`, `pause_turn`, a full context window) pass as
    they are: what reads the answer knows them and keeps the provider's word beside OpenAI's."""
    return _SAME_AS.get(word, word) if isinstance(word, str) else word


def refusal_of(ending: dict[str, Any]) -> str | None:
    """Return why the provider stopped its model, where it says so; `ending` holds `stop_details`."""
    details = ending.get("stop_details")
    explanation = details.get("explanation") if isinstance(details, dict) else None
    return explanation if isinstance(explanation, str) and explanation else None
