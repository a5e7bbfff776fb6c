"""A request in Ollama's words: the body for chat and the one for embeddings."""

from typing import Any

from providers.catalogue.model_trait import ModelTrait
from providers.chat.effort import Effort, peek_effort
from providers.chat.embeddings import EmbeddingsRequest
from providers.chat.left_out import STRICT_TOOLS
from providers.chat.params import Params
from providers.chat.request import ChatRequest, Tool, ToolChoice, ToolMode
from providers.chat.unservable import Unservable
from providers.completion import Target
from providers.dialects.ollama.messages import message_of

OPTIONS = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "min_p", "repeat_penalty")
"""Options that are numbers and called what callers call them."""
INTEGER_OPTIONS = ("seed", "top_k", "num_ctx")
NATIVE = ("keep_alive", "truncate")
"""Fields of Ollama's own that callers may send, beside `options` and `think`."""

_THINKERS = frozenset({ModelTrait.THINKING_LEVEL, ModelTrait.ADAPTIVE_THINKING})
_LEVELS = {Effort.MINIMAL: "low", Effort.XHIGH: "high", Effort.MAX: "high"}
"""Efforts that Ollama calls otherwise."""


def chat_body(request: ChatRequest, target: Target, *, stream: bool) -> dict[str, Any]:
    """Return the body of a chat request. Raises Unservable."""
    params = request.params
    wishes = {
        "tools": [_tool(tool) for tool in request.tools] if _may_call(request.tool_choice) else [],
        "format": _format(request),
        "think": _think(params, target),
        "options": _options(request, target),
        "logprobs": params.flag("logprobs"),
        "top_logprobs": params.integer("top_logprobs"),
        **_native(params, target),
    }
    _leave_the_rest(request)
    messages = [message_of(message, f"messages[{at}]") for at, message in enumerate(request.messages)]
    body = {"model": target.model, "messages": messages, "stream": stream}  # without `stream` it streams
    body.update((name, value) for name, value in wishes.items() if value is not None and value not in ([], {}))
    return body


def embed_body(request: EmbeddingsRequest, target: Target) -> dict[str, Any]:
    """Return the body of an embeddings request."""
    body: dict[str, Any] = {"model": target.model, "input": list(request.texts), **_native(request.params, target)}
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    if options := _own_options(request.params, target):
        body["options"] = options
    return body


def _may_call(choice: ToolChoice | None) -> bool:
    """Tell whether tools are sent at all: without them nothing is called, and there is no other way to say so."""
    return choice is None or choice.mode is not ToolMode.NONE


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters or {"type": "object"}}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _leave_the_rest(request: ChatRequest) -> None:
    """Hand back what Ollama has no word for: more choices than one, forced calls, strict tools."""
    choice = request.tool_choice
    if request.choices > 1:
        request.params.leave("n", request.choices)
    if choice is not None and choice.mode in (ToolMode.REQUIRED, ToolMode.NAMED):
        request.params.leave("tool_choice", choice.mode)
    if any(tool.strict for tool in request.tools):
        request.params.leave(STRICT_TOOLS, True)


def _format(request: ChatRequest) -> Any:
    wish = request.response_format
    return None if wish is None else wish.schema or "json"


def _think(params: Params, target: Target) -> Any:
    """Return the caller's own `think`, else what the effort amounts to.

    Models that cannot think refuse to be told to, and those that can do so unasked: only what is known of a model is
    said to it, and not to think can be said to all.
    """
    own, effort = params.take("think"), peek_effort(params)
    if own is not None or effort is None or not (effort is Effort.NONE or target.model_traits & _THINKERS):
        return own
    params.take("reasoning_effort")
    if effort is Effort.NONE:
        return False
    return _LEVELS.get(effort, effort) if ModelTrait.THINKING_LEVEL in target.model_traits else True


def _options(request: ChatRequest, target: Target) -> dict[str, Any]:
    """Return the options: of two that say the same the field wins over `options`, and that over the setting."""
    params = request.params
    named: dict[str, Any] = {name: params.number(name) for name in OPTIONS}
    named.update((name, params.integer(name)) for name in INTEGER_OPTIONS)
    named["num_predict"] = request.max_tokens
    named["stop"] = list(request.stop) or None
    own = _own_options(params, target)
    return {**own, **{name: value for name, value in named.items() if value is not None}}


def _own_options(params: Params, target: Target) -> dict[str, Any]:
    own = params.take("options") or {}
    if type(own) is not dict:
        raise Unservable("options must be an object", "options")
    num_ctx = target.setting("num_ctx")
    return own if num_ctx is None else {"num_ctx": _number_or_text(num_ctx), **own}


def _native(params: Params, target: Target) -> dict[str, Any]:
    keep_alive = target.setting("keep_alive")
    settings = {} if keep_alive is None else {"keep_alive": _number_or_text(keep_alive)}
    return {**settings, **params.take_all(NATIVE)}


def _number_or_text(setting: str) -> int | str:
    """Return a setting as Ollama wants it: `-1` and `300` as numbers of seconds, `5m` as text."""
    digits = setting.removeprefix("-")
    return int(setting) if digits.isascii() and digits.isdigit() else setting
