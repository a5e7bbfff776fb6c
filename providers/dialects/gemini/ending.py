"""The end of a candidate: Google's words for it, in OpenAI's five or as a failure."""

from collections.abc import Mapping

ENDINGS: Mapping[str, str] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "PUP_LIMITED_DISABLED": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "IMAGE_OTHER": "content_filter",
}

PLAIN = frozenset({"STOP", "MAX_TOKENS"})
"""Words that say no more than OpenAI's do."""

MISHAPS = frozenset(
    {
        "FINISH_REASON_UNSPECIFIED",
        "OTHER",
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "NO_IMAGE",
    }
)
"""The model lost its way. What it said until then stands; if that is nothing, the call failed and may be repeated."""


def finish_reason(word: str, *, says_something: bool, calls_tools: bool) -> str:
    """Return the ending for Google's word.

    Google adds words often: an unknown one is left to the reading that all servers share, where a word that holds
    `error` is the server's failure.
    """
    if word in MISHAPS:
        return _usual(calls_tools) if says_something else f"error: {word}"
    ending = ENDINGS.get(word, word)
    return _usual(calls_tools) if ending == "stop" else ending


def _usual(calls_tools: bool) -> str:
    return "tool_calls" if calls_tools else "stop"
