"""Whatever a provider sends, decoding returns a value; whatever passes as an answer satisfies the official types."""

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from providers.completion import Answer, Endpoint
from providers.dialects import WireResponse, dialect
from providers.failure import Failure
from tests.dialects.wire import JSON, target

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The first run on a machine builds hypothesis's character tables, which takes seconds: no fault of the code."""

SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**62) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=8) | st.sampled_from(["stop", "length", "assistant", "function", "error", "default", "text"])
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "retry-after", "retry-after-ms", "date", "location", "x-request-id"]),
    st.text(max_size=30) | st.sampled_from(["text/html", "application/json", "1e400", "Sun, 99 Nov 2026 12:00:00 GMT"]),
)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what belongs there, sometimes anything."""
    return strategy | strategy | VALUES


FUNCTIONS = st.fixed_dictionaries({}, optional={"name": maybe(TEXTS), "arguments": VALUES})
CALLS = st.fixed_dictionaries(
    {},
    optional={"id": maybe(TEXTS), "type": maybe(st.just("function")), "function": maybe(FUNCTIONS), "custom": VALUES},
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "role": maybe(st.just("assistant")),
        "content": VALUES,
        "refusal": VALUES,
        "tool_calls": maybe(st.lists(maybe(CALLS), max_size=2)),
        "function_call": maybe(FUNCTIONS),
        "audio": VALUES,
        "annotations": VALUES,
        "reasoning": VALUES,
        "reasoning_details": VALUES,
    },
)
TOKENS = st.fixed_dictionaries(
    {}, optional={"token": maybe(TEXTS), "logprob": VALUES, "bytes": VALUES, "top_logprobs": VALUES}
)
LOGPROBS = st.fixed_dictionaries({}, optional={"content": maybe(st.lists(TOKENS, max_size=2)), "refusal": VALUES})
CHOICES = st.fixed_dictionaries(
    {"finish_reason": maybe(TEXTS), "message": maybe(MESSAGES)},
    optional={"index": maybe(st.integers(0, 3)), "logprobs": maybe(LOGPROBS)},
)
COUNTS = maybe(st.integers(0, 1_000))
DETAILS = st.dictionaries(st.sampled_from(["cached_tokens", "reasoning_tokens", "audio_tokens"]), maybe(COUNTS))
USAGES = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": COUNTS,
        "completion_tokens": COUNTS,
        "total_tokens": COUNTS,
        "prompt_tokens_details": maybe(DETAILS),
        "completion_tokens_details": maybe(DETAILS),
        "cached_tokens": COUNTS,
        "cost": VALUES,
    },
)
COMPLETIONS = st.fixed_dictionaries(
    {"choices": st.lists(maybe(CHOICES), max_size=2)},
    optional={
        "id": maybe(TEXTS),
        "object": maybe(st.just("chat.completion")),
        "created": maybe(st.integers(0, 2**33)),
        "model": maybe(TEXTS),
        "usage": maybe(USAGES),
        "service_tier": maybe(TEXTS),
        "system_fingerprint": VALUES,
        "metadata": VALUES,
    },
)
ERRORS = st.fixed_dictionaries(
    {},
    optional={
        name: VALUES
        for name in ("error", "errors", "detail", "message", "code", "base_resp", "success", "object", "statusCode")
    },
)


def decode(content: bytes, endpoint: Endpoint, *, status: int = 200, headers: dict[str, str] | None = None) -> Any:
    outcome = dialect("openai").decode(
        endpoint, WireResponse(status, JSON if headers is None else headers, content), target()
    )
    assert isinstance(outcome, Answer | Failure)
    if isinstance(outcome, Failure):
        assert outcome.message
        assert len(outcome.message) <= 1_000
        assert outcome.retry_after_ms is None or 0 <= outcome.retry_after_ms <= 600_000
    return outcome


@CALM
@given(st.binary(max_size=200), st.sampled_from(Endpoint), st.integers(200, 599), HEADERS)
def test_no_bytes_make_decoding_raise(content: bytes, endpoint: Endpoint, status: int, headers: dict[str, str]) -> None:
    decode(content, endpoint, status=status, headers=headers)


@CALM
@given(VALUES | ERRORS, st.sampled_from(Endpoint), st.sampled_from([200, 301, 400, 401, 429, 500, 504]), HEADERS)
def test_no_json_makes_decoding_raise(body: Any, endpoint: Endpoint, status: int, headers: dict[str, str]) -> None:
    decode(orjson.dumps(body), endpoint, status=status, headers=headers)


@settings(CALM, max_examples=400)
@given(COMPLETIONS)
def test_what_passes_as_an_answer_satisfies_the_official_types(body: dict[str, Any]) -> None:
    outcome = decode(orjson.dumps(body), Endpoint.CHAT)
    if isinstance(outcome, Answer):
        ChatCompletion.model_validate(orjson.loads(outcome.body))
        if outcome.usage is not None:
            assert outcome.usage.cached_tokens <= outcome.usage.prompt_tokens
            assert outcome.usage.reasoning_tokens <= outcome.usage.completion_tokens


@CALM
@given(st.fixed_dictionaries({"data": VALUES | st.lists(st.dictionaries(TEXTS, VALUES))}, optional={"usage": VALUES}))
def test_embeddings_never_make_decoding_raise(body: dict[str, Any]) -> None:
    decode(orjson.dumps(body), Endpoint.EMBEDDINGS)


def test_the_strategies_reach_answers_and_failures() -> None:
    """A property over failures only would prove nothing."""
    found: set[type] = set()

    @settings(CALM, max_examples=300, database=None)
    @given(COMPLETIONS)
    def look(body: dict[str, Any]) -> None:
        found.add(type(decode(orjson.dumps(body), Endpoint.CHAT)))

    look()
    assert found == {Answer, Failure}
