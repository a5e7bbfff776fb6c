"""The wish for JSON, by the best means that the model has.

a schema that the model can be held to     output_config.format
any other schema                           the JSON tool, forced
any JSON object                            the JSON tool; where it cannot be forced, an instruction
"""

from dataclasses import dataclass, replace
from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.request import ChatRequest, FormatKind
from providers.chat.unservable import unsupported
from providers.completion import Target
from providers.dialects.anthropic.closed_schema import closed_schema
from providers.dialects.json_tool import NAME, with_json_tool

INSTRUCTION = "Answer with one JSON object and nothing else: no words around it, no code fence."


@dataclass(frozen=True, slots=True)
class JsonWish:
    """How the wish of one request is put to the model."""

    request: ChatRequest
    """The request without its wish, with the tool where that is the means."""
    output_format: dict[str, Any] | None = None
    tool: str | None = None
    instruction: str | None = None


def put_json_wish(request: ChatRequest, target: Target) -> JsonWish:
    """Choose the means. Raises Unservable where the model has none for this request."""
    wish = request.response_format
    if wish is None:
        return JsonWish(request)
    without = replace(request, response_format=None)
    if wish.schema is not None and ModelTrait.JSON_SCHEMA in target.model_traits:
        schema = closed_schema(wish.schema)
        if schema is not None:
            return JsonWish(without, output_format={"type": "json_schema", "schema": schema})
    forcible = ModelTrait.NO_FORCED_TOOLS not in target.model_traits
    if wish.kind is FormatKind.JSON_OBJECT and (request.tools or not forcible):
        return JsonWish(without, instruction=INSTRUCTION)
    if not forcible:
        raise unsupported("a JSON Schema with objects that are open", "response_format")
    return JsonWish(with_json_tool(request, wish), tool=NAME)
