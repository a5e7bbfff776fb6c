"""A chat request, written for generateContent."""

from collections.abc import Mapping
from typing import Any

from providers.chat.left_out import REASONING
from providers.chat.params import Params
from providers.chat.request import AssistantMessage, ChatRequest
from providers.completion import Target
from providers.dialects.gemini.address import model_url
from providers.dialects.gemini.generation import take_native, write_generation
from providers.dialects.gemini.messages import write_messages
from providers.dialects.gemini.service import Service
from providers.dialects.gemini.tools import write_tools
from providers.dialects.headers import Headers
from providers.dialects.translation import Draft

NATIVE: Mapping[str, str] = {
    "safety_settings": "safetySettings",
    "cached_content": "cachedContent",
    "labels": "labels",
}
"""Fields of the body that OpenAI does not have; they go as they are."""

TIERS = ("flex", "priority")
"""Service tiers that can be asked for; any other is the usual one."""


def write_chat(request: ChatRequest, target: Target, service: Service, *, stream: bool) -> Draft:
    """Write the call. Raises Unservable."""
    body: dict[str, Any] = {**write_messages(request.messages, target, service), **write_tools(request, target)}
    if any(isinstance(message, AssistantMessage) and message.thoughts for message in request.messages):
        request.params.leave(REASONING, True)
    if generation := write_generation(request, target):
        body["generationConfig"] = generation
    body.update((name, value) for name, value in take_native(request.params, NATIVE).items() if value is not None)
    headers = _ask_for_tier(request.params, body, service)
    action = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return Draft(model_url(target, action), body, headers)


def _ask_for_tier(params: Params, body: dict[str, Any], service: Service) -> Headers:
    """Ask for a service tier where the service looks for it; returns the headers."""
    if params.peek("service_tier") not in TIERS:
        return ()
    tier = params.take("service_tier")
    if service.tier_header is None:
        body["serviceTier"] = tier
        return ()
    return ((service.tier_header, tier),)
