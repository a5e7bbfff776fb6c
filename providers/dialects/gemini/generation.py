"""The generation config: how the answer is to be made and what shape it has."""

from collections.abc import Mapping
from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.params import Params
from providers.chat.request import ChatRequest, FormatKind, ResponseFormat
from providers.completion import Target
from providers.dialects.gemini.thinking import take_thinking

MAX_STOPS = 5
MAX_CHOICES = 8

NATIVE: Mapping[str, str] = {
    "top_k": "topK",
    "thinking_config": "thinkingConfig",
    "image_config": "imageConfig",
    "media_resolution": "mediaResolution",
}
"""Fields that OpenAI does not have. They may come in either spelling and go as they are."""


def write_generation(request: ChatRequest, target: Target) -> dict[str, Any]:
    """Take what shapes the answer; raises Unservable. Empty where nothing is asked for."""
    params = request.params
    config: dict[str, Any] = {
        "temperature": params.number("temperature", 0, 2),
        "topP": params.number("top_p", 0, 1),
        "maxOutputTokens": request.max_tokens,
        "stopSequences": _stops(request),
        "candidateCount": _choices(request),
        "seed": _seed(params.integer("seed")),
        "presencePenalty": params.number("presence_penalty", -2, 2),
        "frequencyPenalty": params.number("frequency_penalty", -2, 2),
        "responseModalities": _modalities(params),
        **_logprobs(params),
        **_format(request, target),
        **take_native(params, NATIVE),
    }
    if config.get("thinkingConfig") is None:
        config["thinkingConfig"] = take_thinking(params, target.model_traits)
    return {name: value for name, value in config.items() if value is not None}


def take_native(params: Params, names: Mapping[str, str]) -> dict[str, Any]:
    """Take fields of the provider's own, in its spelling or in snake case; absent ones are None."""
    return {
        name: params.take(name) if params.peek(name) is not None else params.take(ours) for ours, name in names.items()
    }


def _stops(request: ChatRequest) -> list[str] | None:
    if len(request.stop) > MAX_STOPS:
        request.params.leave("stop", list(request.stop), f"of more than {MAX_STOPS} sequences")
    return list(request.stop[:MAX_STOPS]) or None


def _choices(request: ChatRequest) -> int | None:
    if request.choices > MAX_CHOICES:
        request.params.leave("n", request.choices)
        return None
    return request.choices if request.choices > 1 else None


def _seed(seed: int | None) -> int | None:
    """Fold a seed into the 31 bits that fit; the same one each time."""
    return None if seed is None else seed & 0x7FFF_FFFF


def _modalities(params: Params) -> list[str] | None:
    """Ask for pictures; text alone is what comes anyway, and speech would come as bare samples: it is not taken."""
    wanted = params.peek("modalities")
    if type(wanted) is not list or "image" not in wanted or not all(kind in ("text", "image") for kind in wanted):
        return None
    params.take("modalities")
    return [kind.upper() for kind in wanted]


def _logprobs(params: Params) -> dict[str, Any]:
    """Ask for log probabilities. `top_logprobs` without `logprobs` is left to the rule for what is not taken."""
    if not params.flag("logprobs"):
        return {}
    return {"responseLogprobs": True, "logprobs": params.integer("top_logprobs") or None}


def _format(request: ChatRequest, target: Target) -> dict[str, Any]:
    wish = request.response_format
    if wish is None:
        return {}
    if request.tools and ModelTrait.JSON_WITH_TOOLS not in target.model_traits:
        request.params.leave("response_format", {"type": wish.kind}, "together with tools")
        return {}
    return _json(wish)


def _json(wish: ResponseFormat) -> dict[str, Any]:
    schema = {"responseJsonSchema": wish.schema} if wish.kind is FormatKind.JSON_SCHEMA else {}
    return {"responseMimeType": "application/json", **schema}
