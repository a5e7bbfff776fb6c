"""The thought signatures of Gemini: what it signs on a function call, and what it takes back."""

from typing import Any, Final

import orjson

from providers.simulator.thought import signature

_FOREIGN: Final = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
"""Words in place of a signature for calls that another model made, as Google documents them."""
_PLAIN: Final = str.maketrans("-_", "+/")


def call_signature(called: dict[str, Any]) -> str:
    """Return the signature of a function call."""
    words = orjson.dumps([called.get("name"), called.get("args") or {}], option=orjson.OPT_SORT_KEYS)
    return signature(words.decode())


def is_signed(called: dict[str, Any], given: str) -> bool:
    """Whether this signature, in either alphabet of base64, may stand beside a function call."""
    return given in _FOREIGN or given.translate(_PLAIN) == call_signature(called)
