"""The end of a choice: every word that servers use for it, as one of the dialect's five or as a failure."""

from providers.failure import ErrorClass

KNOWN = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})

_SAME_AS = {
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "sensitive": "content_filter",
}
_BROKEN = {
    "error": ErrorClass.SERVER_ERROR,
    "network_error": ErrorClass.SERVER_ERROR,
    "timeout": ErrorClass.TIMEOUT,
    "insufficient_system_resource": ErrorClass.OVERLOADED,
}
_HINTS = (
    ("length", "length"),
    ("max_", "length"),
    ("limit", "length"),
    ("filter", "content_filter"),
    ("safety", "content_filter"),
    ("refus", "content_filter"),
    ("tool", "tool_calls"),
    ("function", "tool_calls"),
)
"""For words nobody has listed yet: a part of the word and what it most likely means. A cut answer must not pass
for a whole one, so `stop` is the last resort and the server's word is kept beside it."""


def known_finish(word: str, *, has_tool_calls: bool) -> str | ErrorClass:
    """Return the dialect's word for a server's, or the class of failure that it announces.

    An empty word is an ending without a reason: `tool_calls` where tools are called, else `stop`.
    """
    word = word.strip().lower()
    if word in KNOWN:
        return word
    if word in _BROKEN:
        return _BROKEN[word]
    if word in _SAME_AS:
        return "tool_calls" if has_tool_calls and _SAME_AS[word] == "stop" else _SAME_AS[word]
    if "error" in word:
        return ErrorClass.SERVER_ERROR
    hinted = next((meaning for part, meaning in _HINTS if part in word), None)
    return hinted or ("tool_calls" if has_tool_calls else "stop")
