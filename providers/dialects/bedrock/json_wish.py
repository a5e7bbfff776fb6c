"""The wish for JSON, by the best means that the model has.

a schema that the model can be held to     outputConfig
any other schema                           the JSON tool, forced; where it cannot be, the rule for parameters decides
any JSON object                            the JSON tool; where it cannot be forced, an instruction
"""

from dataclasses import replace
from typing import Any

import orjson

from providers.catalogue.model_trait import ModelTrait
from providers.chat.request import ChatRequest, FormatKind, ResponseFormat
from providers.completion import Target
from providers.dialects.anthropic.closed_schema import closed_schema
from providers.dialects.anthropic.json_wish import INSTRUCTION, JsonWish
from providers.dialects.bedrock.tools import can_be_forced
from providers.dialects.json_tool import NAME, with_json_tool


def put_json_wish(request: ChatRequest, target: Target) -> JsonWish:
    """Choose the means. Raises Unservable where the caller's own tools leave none."""
    wish = request.response_format
    if wish is None:
        return JsonWish(request)
    without = replace(request, response_format=None)
    if ModelTrait.JSON_SCHEMA in target.model_traits and (output := _output(wish)) is not None:
        return JsonWish(without, output_format=output)
    if wish.kind is FormatKind.JSON_OBJECT and (request.tools or not can_be_forced(target)):
        return JsonWish(without, instruction=INSTRUCTION)
    if not can_be_forced(target):
        request.params.leave("response_format", {"type": wish.kind})
        return JsonWish(without)
    with_tool = with_json_tool(request, wish)
    request.params.take("parallel_tool_calls")  # the one tool is called once
    return JsonWish(with_tool, tool=NAME)


def _output(wish: ResponseFormat) -> dict[str, Any] | None:
    """Write the schema as the text that the provider wants; None for one that no model can be held to."""
    closed = None if wish.schema is None else closed_schema(wish.schema)
    if closed is None:
        return None
    described = {"description": wish.description} if wish.description else {}
    schema = {"schema": orjson.dumps(closed).decode(), "name": wish.name, **described}
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
