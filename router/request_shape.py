"""The shape of requests: the fields that each endpoint cannot do without. One list for all who take requests. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from providers.completion import Endpoint

STREAMED = frozenset({Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.MESSAGES, Endpoint.COMPLETIONS})
"""The endpoints whose answers can be had in events."""
BATCHED = (Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.EMBEDDINGS, Endpoint.COMPLETIONS)
"""The endpoints that batches can be made for; Anthropic's have a resource of their own."""
JUDGED_LATE = frozenset({Endpoint.MESSAGES})
"""The endpoints in whose batches a request that cannot be served fails alone; elsewhere it fails its whole batch."""
FREE = frozenset({Endpoint.MODERATIONS, Endpoint.COUNT_TOKENS})
"""The endpoints whose calls nobody charges for."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field that must be there."""

    name: str
    kinds: tuple[type, ...]
    words: str
    """What it should be, for people."""
    needs_one: bool = False
    """Whether an empty one is refused."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request cannot be taken."""

    message: str
    param: str
    code: str
    """A word of OpenAI's: missing_required_parameter, invalid_type, invalid_value."""


_MODEL = Field("model", (str,), "a string")
_MESSAGES = Field("messages", (list,), "an array", needs_one=True)
_INPUT = Field("input", (str, list), "a string or an array")
_NEEDED: Mapping[Endpoint, tuple[Field, ...]] = MappingProxyType(
    {
        Endpoint.CHAT: (_MESSAGES, _MODEL),
        Endpoint.RESPONSES: (_INPUT, _MODEL),
        Endpoint.MESSAGES: (_MESSAGES, _MODEL, Field("max_tokens", (int,), "an integer")),
        Endpoint.COMPLETIONS: (Field("prompt", (str, list), "a string or an array"), _MODEL),
        Endpoint.EMBEDDINGS: (_INPUT, _MODEL),
        Endpoint.MODERATIONS: (_INPUT, _MODEL),
        Endpoint.COUNT_TOKENS: (_MESSAGES, _MODEL),
    }
)
_ON_THE_SPOT: Mapping[Endpoint, tuple[str, ...]] = MappingProxyType(
    {Endpoint.RESPONSES: ("previous_response_id", "conversation")}
)
"""Fields that lead to what was said before: only who answers the request itself can follow them."""


def problem_of(endpoint: Endpoint, body: Mapping[str, Any], within: str = "") -> Problem | None:
    """Find the first needed field that is missing or wrong; `within` is put before its name, e.g. `body.`."""
    fields = _NEEDED[endpoint]
    for field in fields:
        if type(body.get(field.name)) not in field.kinds:
            return _wrong_type(field, body, within + field.name)
    for field in fields:
        if field.needs_one and not body[field.name]:
            param = within + field.name
            return Problem(f"Invalid '{param}': there should be at least one.", param, "invalid_value")
    return None


def _wrong_type(field: Field, body: Mapping[str, Any], param: str) -> Problem:
    if body.get(field.name) is None:
        return Problem(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
    return Problem(f"Invalid '{param}': it should be {field.words}.", param, "invalid_type")


def problem_apart(endpoint: Endpoint, body: Mapping[str, Any], within: str = "") -> Problem | None:
    """Find a field that a request cannot have in a batch or a job, which are read apart from what was said before."""
    for name in _ON_THE_SPOT.get(endpoint, ()):
        if body.get(name) is not None:
            message = f"'{within}{name}' is not supported here: send what was said before in 'input'."
            return Problem(message, within + name, "unsupported_parameter")
    return None
