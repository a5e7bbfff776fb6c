"""Whatever is asked and whatever is answered: a request is one of Google's or refused, an answer OpenAI's or failed."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from providers.catalogue.model_trait import ModelTrait
from providers.completion import Answer, Endpoint, ParamPolicy
from providers.dialects import WireRequest
from providers.failure import ErrorClass, Failure
from tests.dialects.chat_requests import chat_requests
from tests.dialects.gemini.google import array, decode, encode, read, sse, target
from tests.dialects.gemini.google_types import judge
from tests.dialects.test_any_bytes import CALM, TEXTS, VALUES, maybe

TRAITS = st.frozensets(st.sampled_from(list(ModelTrait)), max_size=6)
WORDS = st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "OTHER", "MALFORMED_FUNCTION_CALL", "NEW", ""])
PIECES = st.fixed_dictionaries(
    {},
    optional={
        "jsonPath": maybe(st.sampled_from(["$.a", "$.a[0]", "$.b.c", "$['d']", "$.a[0].e"])),
        "stringValue": maybe(TEXTS),
        "numberValue": VALUES,
        "willContinue": maybe(st.booleans()),
    },
)
CALLS = st.fixed_dictionaries(
    {},
    optional={
        "name": maybe(TEXTS),
        "args": VALUES,
        "id": maybe(TEXTS),
        "willContinue": maybe(st.booleans()),
        "partialArgs": maybe(st.lists(maybe(PIECES), max_size=2)),
    },
)
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "text": maybe(TEXTS),
        "thought": maybe(st.booleans()),
        "thoughtSignature": maybe(TEXTS),
        "functionCall": maybe(CALLS),
        "inlineData": VALUES | st.just({"mimeType": "image/png", "data": "AAAA"}),
    },
)
LOGPROBS = st.fixed_dictionaries(
    {
        "chosenCandidates": maybe(
            st.lists(st.fixed_dictionaries({}, optional={"token": TEXTS, "logProbability": VALUES}))
        )
    },
    optional={"topCandidates": VALUES},
)
CANDIDATES = st.fixed_dictionaries(
    {},
    optional={
        "content": maybe(st.fixed_dictionaries({}, optional={"parts": maybe(st.lists(maybe(PARTS), max_size=3))})),
        "finishReason": maybe(WORDS),
        "index": maybe(st.integers(0, 2)),
        "logprobsResult": maybe(LOGPROBS),
    },
)
COUNTS = st.dictionaries(
    st.sampled_from(
        ["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount", "trafficType"]
    ),
    maybe(st.integers(0, 99)),
)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "candidates": maybe(st.lists(maybe(CANDIDATES), max_size=2)),
        "usageMetadata": maybe(COUNTS),
        "modelVersion": maybe(TEXTS),
        "responseId": maybe(TEXTS),
        "promptFeedback": VALUES,
        "error": VALUES,
    },
)
BODIES = st.one_of(
    st.lists(ANSWERS | VALUES, max_size=4).map(lambda events: sse(*events)),
    st.lists(ANSWERS | VALUES, max_size=4).map(lambda events: array(*events)),
    st.binary(max_size=60),
)


@settings(CALM, max_examples=200)
@given(chat_requests(), TRAITS, st.booleans(), st.sampled_from(ParamPolicy))
def test_every_request_is_one_of_googles_or_refused_with_its_place(
    body: dict[str, Any], traits: frozenset[str], stream: bool, policy: ParamPolicy
) -> None:
    outcome = encode(body, target(*traits, params=policy), stream=stream)
    if isinstance(outcome, Failure):
        assert outcome.error_class is ErrorClass.BAD_REQUEST
        assert outcome.param
    else:
        judge(orjson.loads(outcome.content))


def test_most_requests_can_be_sent() -> None:
    """A property over refusals only would prove nothing."""
    found: list[bool] = []

    @settings(CALM, max_examples=100, database=None)
    @given(chat_requests())
    def look(body: dict[str, Any]) -> None:
        found.append(isinstance(encode(body, target("json_with_tools", params=ParamPolicy.DROP)), WireRequest))

    look()
    assert sum(found) > len(found) / 2


@settings(CALM, max_examples=300)
@given(ANSWERS, st.sampled_from([200, 200, 400, 429]), st.sampled_from(Endpoint))
def test_no_answer_makes_decoding_raise(body: Any, status: int, endpoint: Endpoint) -> None:
    outcome = decode(body, status=status, endpoint=endpoint)
    if isinstance(outcome, Answer) and endpoint is Endpoint.CHAT:
        ChatCompletion.model_validate_json(outcome.body)


@CALM
@given(st.fixed_dictionaries({"embeddings": maybe(st.lists(st.dictionaries(st.just("values"), VALUES)))}))
def test_no_vectors_make_decoding_raise(body: Any) -> None:
    decode(body, endpoint=Endpoint.EMBEDDINGS)


@CALM
@given(st.binary(max_size=80), st.integers(200, 599))
def test_no_bytes_make_decoding_raise(body: bytes, status: int) -> None:
    decode(body, status=status)


@settings(CALM, max_examples=300)
@given(BODIES, st.lists(st.integers(1, 40), max_size=6))
def test_a_stream_reads_the_same_however_it_is_cut(body: bytes, sizes: list[int]) -> None:
    whole = read(body)
    pieces, rest = [], body
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    assert read(*pieces, rest).raw == whole.raw
    assert type(read(*(body[at : at + 1] for at in range(len(body)))).outcome) is type(whole.outcome)


@pytest.mark.parametrize("depth", [200, 300, 2_000])
def test_no_depth_makes_anything_raise(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    call = b'{"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"a": %s}}}]}' % deep
    body = call + b', "finishReason": "STOP"}]}'
    assert isinstance(decode(body), Answer) == (depth == 200)
    assert isinstance(read(sse(body)).outcome, Answer) == (depth == 200)
