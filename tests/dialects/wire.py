"""Wire values for the dialect tests: a target, a response around a body, and a whole plain completion."""

import copy
from typing import Any

import orjson
from openai.types.chat import ChatCompletion

from providers.completion import Answer, Endpoint, Target
from providers.dialects import WireRequest, WireResponse, Wish, dialect
from providers.dialects.wire import NO_WISH
from providers.failure import Failure

KEY = "sk-test-0123456789abcdef"
DATE = "Sun, 22 Nov 2026 12:00:00 GMT"
JSON = {"content-type": "application/json", "date": DATE, "x-request-id": "req_1"}

PLAIN: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "served-model",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21},
    "system_fingerprint": "fp_1",
}


def target(**changes: Any) -> Target:
    """A deployment of the openai dialect."""
    values: dict[str, Any] = {"provider": "acme", "dialect": "openai", "base_url": "https://api.acme.test/v1"}
    return Target(**{**values, "model": "asked-model", "api_key": KEY, **changes})


def completion(**changes: Any) -> dict[str, Any]:
    """A plain completion with other top-level fields; a value of `...` leaves the field out."""
    body = {**copy.deepcopy(PLAIN), **changes}
    return {name: value for name, value in body.items() if value is not ...}


def with_choice(**changes: Any) -> dict[str, Any]:
    """A plain completion whose one choice has other fields; a value of `...` leaves the field out."""
    choice = {**copy.deepcopy(PLAIN["choices"][0]), **changes}
    return completion(choices=[{name: value for name, value in choice.items() if value is not ...}])


def with_message(**changes: Any) -> dict[str, Any]:
    """A plain completion whose one message has other fields."""
    return with_choice(message={**PLAIN["choices"][0]["message"], **changes})


def encode(
    request: Any, *, endpoint: Endpoint = Endpoint.CHAT, stream: bool = False, **changes: Any
) -> WireRequest | Failure:
    """Encode a caller's request; `changes` are the target's, its dialect among them."""
    deployment = target(**changes)
    return dialect(deployment.dialect).encode(endpoint, orjson.dumps(request), deployment, stream=stream)


def decode(
    body: Any,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    endpoint: Endpoint = Endpoint.CHAT,
    wish: Wish = NO_WISH,
    **changes: Any,
) -> Answer | Failure:
    """Decode a body, given as bytes or as a value to write as JSON. `changes` are the target's."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    response = WireResponse(status, {**JSON, **(headers or {})}, content)
    deployment = target(**changes)
    return dialect(deployment.dialect).decode(endpoint, response, deployment, wish)


def answer(body: Any, **kwargs: Any) -> tuple[Answer, dict[str, Any]]:
    """Decode a body that must give an answer; return it with its parsed body."""
    outcome = decode(body, **kwargs)
    assert isinstance(outcome, Answer), outcome
    return outcome, orjson.loads(outcome.body)


def failure(body: Any, **kwargs: Any) -> Failure:
    """Decode a body that must give a failure."""
    return failure_of(decode(body, **kwargs))


def chat_of(outcome: Answer | Failure) -> tuple[Answer, dict[str, Any]]:
    """Return a chat answer with its parsed body, held against the official types."""
    assert isinstance(outcome, Answer), outcome
    data: dict[str, Any] = orjson.loads(outcome.body)
    ChatCompletion.model_validate(data)
    return outcome, data


def failure_of(outcome: Answer | Failure) -> Failure:
    """Return what must be a failure."""
    assert isinstance(outcome, Failure), outcome
    return outcome
