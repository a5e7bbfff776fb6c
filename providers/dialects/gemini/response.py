"""An answer of generateContent, read into OpenAI's shape."""

from typing import Any

from providers.dialects.gemini.candidate import Candidate
from providers.dialects.gemini.usage import read_tier, read_usage


def read_chat(data: dict[str, Any]) -> dict[str, Any]:
    """Return a whole answer; a candidate without an ending is left without one."""
    answer = {"choices": [_choice(item, place) for place, item in enumerate(data.get("candidates") or ())]}
    return {**answer, **head(data), "usage": read_usage(data.get("usageMetadata"))}


def head(data: dict[str, Any]) -> dict[str, Any]:
    """Return what an answer, or a piece of one, says beside its candidates."""
    said = {
        "id": data.get("responseId"),
        "model": data.get("modelVersion"),
        "service_tier": read_tier(data.get("usageMetadata")),
    }
    return {name: value for name, value in said.items() if value}


def _choice(item: dict[str, Any], place: int) -> dict[str, Any]:
    """Read a candidate in one piece."""
    read = Candidate().read(item) or {"delta": {}, "finish_reason": None}
    message = {"role": "assistant", "content": None, "refusal": None, **read.pop("delta")}
    for call in message.get("tool_calls", ()):
        del call["index"]
    return {"index": item.get("index", place), "message": message, **read}
