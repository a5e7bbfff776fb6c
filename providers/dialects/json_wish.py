"""The wish for JSON, for models that are held to a schema by a field of their own, or by a tool that they must call.

a schema that the model can be held to     the provider's own field
any other schema                           the JSON tool, forced; where it cannot be, the rule for parameters decides
any JSON object                            the JSON tool; where it cannot be forced, an instruction
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.request import ChatRequest, FormatKind, ResponseFormat
from providers.completion import Target
from providers.dialects.closed_schema import closed_schema
from providers.dialects.json_tool import NAME, with_json_tool

INSTRUCTION = "Answer with one JSON object and nothing else: no words around it, no code fence."

Write = Callable[[ResponseFormat, dict[str, Any]], dict[str, Any]]
"""Writes the provider's own field, from the wish and from its schema as far as the provider takes it."""


@dataclass(frozen=True, slots=True)
class JsonWish:
    """How the wish of one request is put to the model."""

    request: ChatRequest
    """The request without its wish, with the tool where that is the means."""
    output_format: dict[str, Any] | None = None
    """The provider's own field."""
    tool: str | None = None
    """See `Draft.json_tool`."""
    instruction: str | None = None
    """To be said at the end of the instructions."""


def put_json_wish(request: ChatRequest, target: Target, write: Write, *, can_be_forced: bool) -> JsonWish:
    """Choose the means; a wish for which there is none is handed back to the params.

    `can_be_forced` says that the model can be told that it must call a tool.
    """
    wish = request.response_format
    if wish is None:
        return JsonWish(request)
    without = replace(request, response_format=None)
    if wish.schema is not None and ModelTrait.JSON_SCHEMA in target.model_traits:
        schema = closed_schema(wish.schema)
        if schema is not None:
            return JsonWish(without, output_format=write(wish, schema))
    if wish.kind is FormatKind.JSON_OBJECT and (request.tools or not can_be_forced):
        return JsonWish(without, instruction=INSTRUCTION)
    if request.tools or not can_be_forced:
        why = "together with tools" if request.tools else "with this schema"
        request.params.leave("response_format", {"type": wish.kind}, why)
        return JsonWish(without)
    request.params.take("parallel_tool_calls")  # the one tool is called once
    return JsonWish(with_json_tool(request, wish), tool=NAME)
