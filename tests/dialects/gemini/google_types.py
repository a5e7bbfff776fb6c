"""Google's own types as a judge of requests: they forbid every field that they do not know."""

from itertools import pairwise
from typing import Any

from google.genai import types
from pydantic import TypeAdapter

_JUDGES: dict[str, TypeAdapter[Any]] = {
    "contents": TypeAdapter(list[types.Content]),
    "systemInstruction": TypeAdapter(types.Content),
    "tools": TypeAdapter(list[types.Tool]),
    "toolConfig": TypeAdapter(types.ToolConfig),
    "generationConfig": TypeAdapter(types.GenerationConfig),
    "safetySettings": TypeAdapter(list[types.SafetySetting]),
    "cachedContent": TypeAdapter(str),
    "labels": TypeAdapter(dict[str, str]),
    "serviceTier": TypeAdapter(types.ServiceTier),
}


def judge(body: dict[str, Any]) -> None:
    """Hold a body against the types, and its conversation against the rules that they do not hold."""
    for name, value in body.items():
        _JUDGES[name].validate_python(value)
    turns = body["contents"]
    assert turns[0]["role"] == "user"
    assert all(turn["parts"] for turn in turns)
    assert all(one["role"] != other["role"] for one, other in pairwise(turns))
    for part in (part for turn in turns for part in turn["parts"]):
        assert part.keys() - {"thoughtSignature"}
        assert part.get("text") != "" or "thoughtSignature" in part
