"""The token rule: how the simulator counts tokens.

A text of n characters has ceil(n / 4) tokens. A chat prompt is 3 tokens, plus for each message 4 and its content and
tool calls, plus the JSON of the tools offered. An image, sound or file part counts 85. A first message that starts
with `cached:` is counted as read from the prompt cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

CHARS_PER_TOKEN: Final = 4
_PART_TOKENS: Final = 85
_MESSAGE_TOKENS: Final = 4
_PROMPT_TOKENS: Final = 3
_CACHED_MARKER: Final = "cached:"


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call used, in tokens."""

    prompt_tokens: int
    completion_tokens: int = 0
    cached_tokens: int = 0
    """The part of the prompt that was read from the cache; billed like the rest."""
    reasoning_tokens: int = 0
    """The part of the completion that was a thought."""

    def to_json(self) -> dict[str, object]:
        """Return OpenAI's `usage` object of a chat answer."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning_tokens, "audio_tokens": 0},
        }


def reported(answer: dict[str, Any]) -> Usage | None:
    """Return what an answer in OpenAI's shape says it used, whether or not that is true; None if it does not say."""
    usage = answer.get("usage")
    if usage is None:
        return None
    cached = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
    reasoning = usage.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    return Usage(usage["prompt_tokens"], usage.get("completion_tokens", 0), cached, reasoning)


def text_tokens(text: str) -> int:
    """Return the tokens of a text; 0 for an empty one."""
    return (len(text) + CHARS_PER_TOKEN - 1) // CHARS_PER_TOKEN


def prompt_tokens(messages: Sequence[dict[str, Any]], tools: object) -> int:
    """Return the tokens of a chat prompt."""
    total = _PROMPT_TOKENS
    for message in messages:
        total += _MESSAGE_TOKENS + _content_tokens(message.get("content"))
        if message.get("tool_calls"):
            total += _json_tokens(message["tool_calls"])
    return total + _json_tokens(tools) if tools else total


def cached_tokens(messages: Sequence[dict[str, Any]]) -> int:
    """Return how many of the prompt's tokens count as cached: those of a first message marked `cached:`."""
    content = messages[0].get("content")
    return text_tokens(content) if isinstance(content, str) and content.startswith(_CACHED_MARKER) else 0


def _content_tokens(content: object) -> int:
    if isinstance(content, str):
        return text_tokens(content)
    if not isinstance(content, list):
        return 0
    return sum(_part_tokens(part) for part in content)


def _part_tokens(part: object) -> int:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return text_tokens(part["text"])
    return _PART_TOKENS


def _json_tokens(value: object) -> int:
    return (len(orjson.dumps(value)) + CHARS_PER_TOKEN - 1) // CHARS_PER_TOKEN
