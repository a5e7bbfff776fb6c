"""The fields of Gemini's requests: camel case or snake case, and none that is not known."""

import re
from collections.abc import Iterable
from typing import Any, Final

from providers.simulator.faces.native import Json, object_of, require

_HUMP: Final = re.compile(r"_([a-z0-9])")

CONTENT: Final = ("parts", "role")
PART: Final = (
    "text", "inlineData", "fileData", "functionCall", "functionResponse", "thought", "thoughtSignature",
    "videoMetadata", "mediaResolution", "partMetadata", "executableCode", "codeExecutionResult",
)  # fmt: skip
REQUEST: Final = (
    "contents", "systemInstruction", "tools", "toolConfig", "safetySettings", "generationConfig", "cachedContent",
    "model", "serviceTier", "store",
)  # fmt: skip
CONFIG: Final = (
    "candidateCount", "stopSequences", "maxOutputTokens", "temperature", "topP", "topK", "seed", "presencePenalty",
    "frequencyPenalty", "responseMimeType", "responseSchema", "responseJsonSchema", "responseLogprobs", "logprobs",
    "thinkingConfig", "responseModalities", "mediaResolution", "speechConfig", "imageConfig", "audioTimestamp",
)  # fmt: skip
DECLARATION: Final = (
    "name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior",
)  # fmt: skip


def checked(value: object, known: Iterable[str], where: str) -> Json:
    """Return an object with its fields in camel case; raises Refused (400) for an unknown field, or no object."""
    given = object_of(value, f"Invalid value at '{where or 'request'}'")
    fields = {_HUMP.sub(lambda match: match[1].upper(), name): field for name, field in given.items()}
    strange = next((name for name in fields if name not in known), None)
    at = f" at '{where}'" if where else ""
    require(strange is None, f'Invalid JSON payload received. Unknown name "{strange}"{at}: Cannot find field.')
    return fields


def listed(value: object, where: str) -> list[Any]:
    """Return a list, empty for an absent one; raises Refused (400) for anything else."""
    require(value is None or isinstance(value, list), f"Invalid value at '{where}'")
    return value if isinstance(value, list) else []
