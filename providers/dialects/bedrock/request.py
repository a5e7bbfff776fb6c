"""A chat request as the body of Converse; that of ConverseStream is the same."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from providers.catalogue.model_trait import ModelTrait
from providers.chat.params import Params
from providers.chat.request import ChatRequest, ResponseFormat
from providers.chat.unservable import Unservable
from providers.completion import Target
from providers.dialects.bedrock.messages import write_messages
from providers.dialects.bedrock.thinking import Thinking, write_thinking
from providers.dialects.bedrock.tools import can_be_forced, is_forced, one_at_a_time, write_tools
from providers.dialects.json_wish import put_json_wish

MODEL_FIELDS = "additionalModelRequestFields"
NATIVE = ("guardrailConfig", "performanceConfig", "promptVariables", "additionalModelResponseFieldPaths")
"""Converse's own fields that callers may give as they are."""
_TIERS = frozenset({"default", "priority", "flex", "reserved"})
_METADATA_TEXT = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.\-]{0,256}", re.ASCII)
_MAX_METADATA = 16


def write_chat(request: ChatRequest, target: Target) -> tuple[dict[str, Any], str | None]:
    """Write a request, taking from its params what Converse or the model knows. Raises Unservable.

    Returns the body, and the JSON tool's name where it stands for the wish for JSON.
    """
    if request.choices > 1:
        request.params.leave("n", request.choices)
    wish = put_json_wish(request, target, _json_schema, can_be_forced=can_be_forced(target))
    request = wish.request
    talk = write_messages(request.messages, request.params, target)
    thinking = write_thinking(request, target, is_forced=is_forced(request, target))
    body: dict[str, Any] = {
        "messages": [turn.written() for turn in talk.turns],
        "system": talk.system + ([{"text": wish.instruction}] if wish.instruction else []),
        "toolConfig": write_tools(request, target),
        "inferenceConfig": _inference(request, target, thinking),
        "outputConfig": wish.output_format,
        MODEL_FIELDS: _model_fields(request, target, thinking),
        "requestMetadata": _metadata(request.params),
        "serviceTier": _tier(request.params),
        **{name: request.params.take(name) for name in NATIVE},
    }
    return {name: value for name, value in body.items() if value}, wish.tool


def _json_schema(wish: ResponseFormat, schema: dict[str, Any]) -> dict[str, Any]:
    """Write the schema as the text that the provider wants."""
    described = {"description": wish.description} if wish.description else {}
    written = {"schema": orjson.dumps(schema).decode(), "name": wish.name, **described}
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": written}}}


def _inference(request: ChatRequest, target: Target, thinking: Thinking) -> dict[str, Any]:
    config: dict[str, Any] = {"maxTokens": thinking.max_tokens, "stopSequences": list(request.stop) or None}
    if _takes_sampling(target, thinking):
        config["temperature"] = request.params.number("temperature", 0, 1)
        if config["temperature"] is None or ModelTrait.ONE_SAMPLING not in target.model_traits:
            config["topP"] = request.params.number("top_p", 0, 1)
    return {name: value for name, value in config.items() if value is not None}


def _takes_sampling(target: Target, thinking: Thinking) -> bool:
    return ModelTrait.NO_SAMPLING not in target.model_traits and not thinking.refuses_sampling


def _model_fields(request: ChatRequest, target: Target, thinking: Thinking) -> dict[str, Any]:
    """Gather what goes to the model past Converse; what the caller gives there itself wins."""
    own = request.params.take(MODEL_FIELDS)
    if own is not None and type(own) is not dict:
        raise Unservable(f"{MODEL_FIELDS} must be an object", MODEL_FIELDS)
    fields = {**thinking.fields, **one_at_a_time(request, target)}
    if _takes_sampling(target, thinking):
        fields |= _top_k(request.params, target)
    return {**fields, **(own or {})}


def _top_k(params: Params, target: Target) -> dict[str, Any]:
    """Take `top_k` for the models that know it; there are two places where they look for it."""
    if not target.model_traits & {ModelTrait.TOP_K, ModelTrait.NESTED_TOP_K}:
        return {}
    top_k = params.integer("top_k")
    if top_k is None:
        return {}
    return {"top_k": top_k} if ModelTrait.TOP_K in target.model_traits else {"inferenceConfig": {"topK": top_k}}


def _metadata(params: Params) -> Mapping[str, str] | None:
    """Take `metadata` where it keeps to the provider's characters and lengths."""
    found = params.peek("metadata")
    if type(found) is not dict or not 1 <= len(found) <= _MAX_METADATA:
        return None
    if not all(name and _is_metadata_text(name) and _is_metadata_text(value) for name, value in found.items()):
        return None
    taken: Mapping[str, str] = params.take("metadata")
    return taken


def _is_metadata_text(value: Any) -> bool:
    return type(value) is str and _METADATA_TEXT.fullmatch(value) is not None


def _tier(params: Params) -> dict[str, str] | None:
    tier = params.peek("service_tier")
    if type(tier) is not str or tier not in _TIERS:
        return None
    params.take("service_tier")
    return {"type": tier}
