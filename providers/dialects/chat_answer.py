"""A chat answer: check a parsed chat completion, mend it where a server departs from the types of clients.

Clients hold answers against OpenAI's own types. About one live answer in five breaks them, so every answer is
checked by `is_plain`; the plain ones pass on as the bytes that came, the others are mended and written again.
"""

from typing import Any

import orjson

from providers.completion import Answer, Target
from providers.dialects.chat_mending import mend
from providers.dialects.chat_shape import is_plain
from providers.dialects.finish_reason import known_finish
from providers.dialects.request_id import request_id
from providers.dialects.unusable import unusable
from providers.dialects.usage import read_usage, reported_cost_nanousd
from providers.dialects.wire import WireResponse
from providers.failure import ErrorClass, Failure


def read_chat(data: Any, response: WireResponse, target: Target) -> Answer | Failure:
    """Return the answer in a parsed body that holds no error, or the failure that it amounts to."""
    choices = data.get("choices") if type(data) is dict else None
    if type(choices) is not list or not choices:
        return unusable(response, target, "has no choices")
    model, tier, cost = data.get("model"), data.get("service_tier"), reported_cost_nanousd(data.get("usage"))
    body = response.body
    if not is_plain(data) or body[:1] != b"{":
        broken = _broken_ending(choices, response, target)
        if broken is not None:
            return broken
        mend(data, response, target)
        body = orjson.dumps(data)
    usage = data.get("usage")
    return Answer(
        body=body,
        model=model if type(model) is str and model else None,
        usage=read_usage(usage),
        finish_reason=data["choices"][0]["finish_reason"],
        service_tier=tier if type(tier) is str and tier else None,
        provider_request_id=request_id(response.headers),
        reported_cost_nanousd=cost,
    )


def _broken_ending(choices: list[Any], response: WireResponse, target: Target) -> Failure | None:
    """Find a choice that does not end, or that ends in a failure: such an answer is never a completed one."""
    for choice in choices:
        if type(choice) is not dict:
            return unusable(response, target, "has a choice that is not an object")
        word, message = choice.get("finish_reason"), choice.get("message")
        if type(word) is not str:
            return unusable(response, target, "has no finish_reason: the answer is not complete")
        if type(message) is not dict and word != "content_filter":
            return unusable(response, target, "has a choice without a message")
        ending = known_finish(word, has_tool_calls=False)
        if isinstance(ending, ErrorClass):
            return broke_off(ending, word, response, target)
    return None


def broke_off(error_class: ErrorClass, word: str, response: WireResponse, target: Target) -> Failure:
    """Report a choice whose ending announces a failure; what came until then may have been billed."""
    return Failure(
        error_class=error_class,
        message=f"provider {target.provider!r} broke the answer off with finish_reason {word[:60]!r}",
        http_status=response.status,
        code=word[:60],
        outcome_unknown=True,
        provider_request_id=request_id(response.headers),
    )
