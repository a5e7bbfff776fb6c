"""A chat request in the words of the Messages API, without its envelope: model, stream and version are the caller's.

Claude is reached under several envelopes, at its vendor and at clouds, and always by this body.
"""

from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.params import Params
from providers.chat.request import ChatRequest, ResponseFormat
from providers.chat.unservable import Unservable
from providers.completion import Target
from providers.dialects.anthropic.messages import write_messages
from providers.dialects.anthropic.thinking import choose_thinking, room
from providers.dialects.anthropic.tools import write_tools
from providers.dialects.json_wish import put_json_wish

_OWN_FIELDS = ("cache_control", "context_management", "inference_geo", "speed")
"""Fields of the API that mean nothing elsewhere: handed on as they came."""
_SERVICE_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}


def write_body(request: ChatRequest, target: Target) -> tuple[dict[str, Any], str | None]:
    """Write a request for one model, taking from its params what the API knows.

    Returns the body without `model` and `stream`, and the JSON tool's name where it stands for the wish for JSON.
    Raises Unservable.
    """
    params, traits = request.params, target.model_traits
    if request.choices > 1:
        params.leave("n", request.choices)
    wish = put_json_wish(request, target, _json_schema, can_be_forced=ModelTrait.NO_FORCED_TOOLS not in traits)
    talk = write_messages(request.messages, params, target)
    toolbox = write_tools(wish.request, target, single=wish.tool is not None)
    thinking = choose_thinking(params, target, request.messages, is_forced=toolbox.is_forced)
    thinking, max_tokens = room(thinking, request.max_tokens, target.max_output_tokens)
    body = {
        "max_tokens": max_tokens,
        "system": talk.system + ([{"type": "text", "text": wish.instruction}] if wish.instruction else []),
        "messages": [turn.written() for turn in talk.turns],
        **toolbox.fields,
        "thinking": thinking.config,
        "output_config": _output_config(params, thinking.effort, wish.output_format),
        "stop_sequences": _stops(request),
        **_sampling(params, traits, is_thinking=thinking.is_on),
        **_account(params),
        **params.take_all(_OWN_FIELDS),
    }
    return {name: value for name, value in body.items() if value not in (None, [], {})}, wish.tool


def _json_schema(wish: ResponseFormat, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "schema": schema}


def _stops(request: ChatRequest) -> list[str]:
    """Return the stop sequences that the API takes; blank ones are handed back to the rule for parameters."""
    taken = [word for word in request.stop if word.strip()]
    if len(taken) < len(request.stop):
        request.params.leave("stop", list(request.stop), "of white space alone")
    return taken


def _output_config(params: Params, effort: str | None, output_format: dict[str, Any] | None) -> dict[str, Any]:
    """Say effort and format; what the caller says of them in the API's own field wins."""
    own = params.take("output_config")
    if own is not None and type(own) is not dict:
        raise Unservable("output_config must be an object", "output_config")
    ours = {"effort": effort, "format": output_format}
    return {name: value for name, value in ours.items() if value is not None} | (own or {})


def _sampling(params: Params, traits: frozenset[str], *, is_thinking: bool) -> dict[str, Any]:
    """Take the sampling fields that the model takes; the others are left to the rule for parameters."""
    for name in ("temperature", "top_p"):
        if params.peek(name) == 1:  # as without it
            params.take(name)
    if is_thinking or ModelTrait.NO_SAMPLING in traits:
        return {}
    temperature = params.number("temperature", 0, 1)
    one_is_enough = ModelTrait.ONE_SAMPLING in traits and temperature is not None
    top_p = None if one_is_enough else params.number("top_p", 0, 1)
    return {"temperature": temperature, "top_p": top_p, "top_k": params.integer("top_k")}


def _account(params: Params) -> dict[str, Any]:
    """Take who asks and how urgent it is. Of OpenAI's metadata the API knows the user's id only."""
    fields: dict[str, Any] = {}
    older, user = params.text("user"), params.text("safety_identifier")
    user, metadata = user or older, params.peek("metadata")
    if type(metadata) is dict and set(metadata) == {"user_id"} and type(metadata["user_id"]) is str:
        user = params.take("metadata")["user_id"]
    if user is not None:
        fields["metadata"] = {"user_id": user}
    tier = params.peek("service_tier")
    if type(tier) is str and tier in _SERVICE_TIERS:
        fields["service_tier"] = _SERVICE_TIERS[params.take("service_tier")]
    return fields
