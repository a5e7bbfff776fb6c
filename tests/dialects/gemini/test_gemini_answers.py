"""What becomes of Google's answers and refusals."""

import base64
import struct
from typing import Any

import orjson
import pytest

from providers.completion import Endpoint, Usage
from providers.failure import ErrorClass
from tests.dialects.gemini.google import answer, candidate, decode, failure, sent, target, written


def choice(body: Any) -> dict[str, Any]:
    """The first choice of an answer that must be one."""
    first: dict[str, Any] = answer(body)[1]["choices"][0]
    return first


def message(*parts: Any, **kwargs: Any) -> dict[str, Any]:
    said: dict[str, Any] = choice(candidate(*parts, **kwargs))["message"]
    return said


def test_text_and_thoughts_go_their_ways() -> None:
    said = message({"text": "Hm. ", "thought": True}, {"text": "Well.", "thought": True}, {"text": "A"}, {"text": "B"})
    assert said["content"] == "AB"
    assert said["reasoning_content"] == "Hm. Well."


def test_an_answer_says_who_gave_it() -> None:
    outcome, data = answer(candidate({"text": "Hi"}))
    assert (data["id"], data["model"], outcome.model) == ("r1", "gemini-2.5-pro-001", "gemini-2.5-pro-001")


def test_a_tool_call_keeps_its_id_and_one_without_gets_one() -> None:
    said = message(
        {"functionCall": {"name": "f", "args": {"a": 1}, "id": "own"}},
        {"functionCall": {"name": "g"}, "thoughtSignature": "c2ln"},
    )
    own, minted = said["tool_calls"]
    assert own == {"type": "function", "id": "own", "function": {"name": "f", "arguments": '{"a":1}'}}
    assert minted["function"] == {"name": "g", "arguments": "{}"}
    assert minted["id"].startswith("call_")
    assert minted["extra_content"] == {"google": {"thought_signature": "c2ln"}}


def test_an_answer_sent_back_becomes_the_turn_that_it_was() -> None:
    parts = [
        {"text": "Let me see.", "thoughtSignature": "c2lnMQ=="},
        {"functionCall": {"name": "f", "args": {"a": [1]}, "id": "c1"}, "thoughtSignature": "c2lnMg=="},
    ]
    said = message(*parts)
    result = {"role": "tool", "tool_call_id": "c1", "content": "ok"}
    body = sent({"messages": [{"role": "user", "content": "Go"}, said, result]})
    assert body["contents"][1] == {"role": "model", "parts": parts}


def test_pictures_stand_beside_the_content() -> None:
    said = message({"text": "Here:"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}})
    assert said["content"] == "Here:"
    assert said["images"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]


@pytest.mark.parametrize(
    ("word", "ending"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("CONTINUATION", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("LANGUAGE", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("ESCALATION", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("IMAGE_PROHIBITED_CONTENT", "content_filter"),
        ("IMAGE_RECITATION", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "stop"),
        ("OTHER", "stop"),
        ("SOMETHING_NEW", "stop"),
        ("NEW_TOKEN_LIMIT", "length"),
    ],
)
def test_every_word_for_the_end_has_its_place(word: str, ending: str) -> None:
    found = choice(candidate({"text": "Hi"}, finish=word))
    assert found["finish_reason"] == ending
    assert found.get("native_finish_reason") == (None if word in ("STOP", "MAX_TOKENS") else word)


def test_every_word_that_googles_own_client_knows_is_placed() -> None:
    from google.genai.types import FinishReason

    from providers.dialects.gemini.ending import ENDINGS, MISHAPS

    assert {word.value for word in FinishReason} == set(ENDINGS) | MISHAPS


def test_an_answer_that_calls_tools_ends_with_them() -> None:
    call = {"functionCall": {"name": "f"}}
    assert choice(candidate(call))["finish_reason"] == "tool_calls"
    assert choice(candidate(call, finish="TOO_MANY_TOOL_CALLS"))["finish_reason"] == "tool_calls"
    assert choice(candidate(call, finish="MAX_TOKENS"))["finish_reason"] == "length"


@pytest.mark.parametrize("word", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "OTHER", "NO_IMAGE"])
def test_a_mishap_that_says_nothing_has_failed_and_may_be_repeated(word: str) -> None:
    found = failure(candidate({"text": "Hm.", "thought": True}, finish=word))
    assert found.error_class is ErrorClass.SERVER_ERROR
    assert word in found.message


@pytest.mark.parametrize("item", [{"finishReason": "SAFETY"}, {"content": {}, "finishReason": "SAFETY"}])
def test_a_candidate_may_lack_its_content(item: dict[str, Any]) -> None:
    found = choice({"candidates": [item]})
    assert found["message"]["content"] is None
    assert found["finish_reason"] == "content_filter"


def test_an_answer_without_an_ending_is_not_complete() -> None:
    assert failure(candidate({"text": "Hi"}, finish=None)).error_class is ErrorClass.INVALID_RESPONSE


def test_an_answer_without_candidates_is_none() -> None:
    assert failure({"usageMetadata": {"promptTokenCount": 3}}).error_class is ErrorClass.INVALID_RESPONSE


def test_several_candidates_are_several_choices() -> None:
    body = candidate({"text": "A"})
    body["candidates"].append({**candidate({"text": "B"})["candidates"][0], "index": 1})
    choices = answer(body)[1]["choices"]
    assert [(each["index"], each["message"]["content"]) for each in choices] == [(0, "A"), (1, "B")]


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 14}, Usage(9, 5)),
        (
            {"promptTokenCount": 9, "candidatesTokenCount": 5, "thoughtsTokenCount": 7, "totalTokenCount": 21},
            Usage(9, 12, reasoning_tokens=7),
        ),
        (
            {"promptTokenCount": 9, "candidatesTokenCount": 12, "thoughtsTokenCount": 7, "totalTokenCount": 21},
            Usage(9, 12, reasoning_tokens=7),
        ),
        ({"promptTokenCount": 9, "thoughtsTokenCount": 7, "totalTokenCount": 16}, Usage(9, 7, reasoning_tokens=7)),
        (
            {"promptTokenCount": 9, "cachedContentTokenCount": 4, "candidatesTokenCount": 1},
            Usage(9, 1, cached_tokens=4),
        ),
        (
            {
                "promptTokenCount": 9,
                "toolUsePromptTokenCount": 3,
                "candidatesTokenCount": 5,
                "thoughtsTokenCount": 2,
                "totalTokenCount": 19,
            },
            Usage(12, 7, reasoning_tokens=2),
        ),
        ({"promptTokenCount": 9, "totalTokenCount": 9}, Usage(9, 0)),
        ({"trafficType": "ON_DEMAND"}, None),
        (None, None),
    ],
)
def test_tokens_are_counted_once_each(counts: Any, usage: Usage | None) -> None:
    outcome, data = answer({**candidate({"text": "Hi"}), "usageMetadata": counts})
    assert outcome.usage == usage
    if usage is not None:
        assert data["usage"]["total_tokens"] == usage.prompt_tokens + usage.completion_tokens


@pytest.mark.parametrize(
    ("counts", "tier"),
    [
        ({"serviceTier": "flex"}, "flex"),
        ({"serviceTier": "standard"}, "default"),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, "priority"),
        ({"trafficType": "PROVISIONED_THROUGHPUT"}, None),
    ],
)
def test_the_tier_of_the_call_is_told(counts: dict[str, Any], tier: str | None) -> None:
    assert answer({**candidate({"text": "Hi"}), "usageMetadata": counts})[0].service_tier == tier


def test_log_probabilities_are_told_token_by_token() -> None:
    result = {
        "chosenCandidates": [{"token": "Hé", "tokenId": 7, "logProbability": -0.5}, {"token": "!"}],
        "topCandidates": [{"candidates": [{"token": "Hé", "logProbability": -0.5}, {"token": "A"}]}],
    }
    found = choice(candidate({"text": "Hé!"}, logprobsResult=result))["logprobs"]
    assert found["content"] == [
        {
            "token": "Hé",
            "logprob": -0.5,
            "bytes": [72, 195, 169],
            "top_logprobs": [
                {"token": "Hé", "logprob": -0.5, "bytes": [72, 195, 169]},
                {"token": "A", "logprob": 0.0, "bytes": [65]},
            ],
        },
        {"token": "!", "logprob": 0.0, "bytes": [33], "top_logprobs": []},
    ]


def test_a_blocked_prompt_is_a_refusal_though_it_comes_as_a_success() -> None:
    found = failure({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 5}})
    assert (found.error_class, found.code) == (ErrorClass.CONTENT_FILTER, "PROHIBITED_CONTENT")
    assert not found.outcome_unknown


def error(status: int, word: str, text: str = "No.", *details: Any) -> dict[str, Any]:
    return {"error": {"code": status, "message": text, "status": word, "details": list(details)}}


def info(reason: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}


@pytest.mark.parametrize(
    ("body", "status", "error_class"),
    [
        (error(400, "INVALID_ARGUMENT"), 400, ErrorClass.BAD_REQUEST),
        (error(400, "INVALID_ARGUMENT", "API key not valid.", info("API_KEY_INVALID")), 400, ErrorClass.AUTH),
        (
            error(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
            400,
            ErrorClass.PERMISSION,
        ),
        (
            error(
                400,
                "FAILED_PRECONDITION",
                "Gemini API free tier is not available in your country. Please enable billing on your project.",
            ),
            400,
            ErrorClass.BILLING,
        ),
        (error(400, "FAILED_PRECONDITION", "The cached content has expired."), 400, ErrorClass.BAD_REQUEST),
        (
            error(
                400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."
            ),
            400,
            ErrorClass.CONTEXT_LENGTH,
        ),
        (error(401, "UNAUTHENTICATED"), 401, ErrorClass.AUTH),
        (error(403, "PERMISSION_DENIED"), 403, ErrorClass.PERMISSION),
        (error(403, "PERMISSION_DENIED", "No.", info("BILLING_DISABLED")), 403, ErrorClass.BILLING),
        (error(404, "NOT_FOUND"), 404, ErrorClass.NOT_FOUND),
        (error(429, "RESOURCE_EXHAUSTED"), 429, ErrorClass.RATE_LIMIT),
        (error(500, "INTERNAL"), 500, ErrorClass.SERVER_ERROR),
        (error(503, "UNAVAILABLE"), 503, ErrorClass.OVERLOADED),
        (error(504, "DEADLINE_EXCEEDED"), 504, ErrorClass.TIMEOUT),
        ([error(503, "UNAVAILABLE")], 503, ErrorClass.OVERLOADED),
        ([error(503, "UNAVAILABLE")], 200, ErrorClass.OVERLOADED),
    ],
)
def test_a_refusal_has_its_class(body: Any, status: int, error_class: ErrorClass) -> None:
    assert failure(body, status=status).error_class is error_class


def quota(name: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": name}]}


DELAY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}


def test_a_quota_of_a_minute_is_waited_for_and_one_of_a_day_much_longer() -> None:
    minute = error(429, "RESOURCE_EXHAUSTED", "Spent.", quota("GenerateRequestsPerMinutePerProject"), DELAY)
    day = error(429, "RESOURCE_EXHAUSTED", "Spent.", quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), DELAY)
    assert failure(minute, status=429).retry_after_ms == 34_400
    assert failure(day, status=429).retry_after_ms == 600_000
    assert failure([day], status=429).retry_after_ms == 600_000


def test_texts_become_vectors_in_one_call() -> None:
    fields = {"input": ["a", "b"], "dimensions": 64, "task_type": "RETRIEVAL_QUERY"}
    to = target(model="gemini-embedding-001")
    request = written(fields, to, endpoint=Endpoint.EMBEDDINGS)
    assert request.url.endswith("/models/gemini-embedding-001:batchEmbedContents")
    assert orjson.loads(request.content) == {
        "requests": [
            {
                "model": "models/gemini-embedding-001",
                "content": {"parts": [{"text": text}]},
                "outputDimensionality": 64,
                "taskType": "RETRIEVAL_QUERY",
            }
            for text in ("a", "b")
        ]
    }


def test_vectors_come_back_as_lists_or_packed() -> None:
    from openai.types import CreateEmbeddingResponse

    body = {"embeddings": [{"values": [0.5, 1]}, {"values": [2, 3]}], "usageMetadata": {"promptTokenCount": 4}}
    outcome: Any = decode(body, endpoint=Endpoint.EMBEDDINGS)
    read = CreateEmbeddingResponse.model_validate_json(outcome.body)
    assert [item.embedding for item in read.data] == [[0.5, 1], [2, 3]]
    assert (read.model, read.usage.prompt_tokens) == ("gemini-2.5-pro", 4)
    wish = written({"input": "a", "encoding_format": "base64"}, endpoint=Endpoint.EMBEDDINGS).wish
    packed: Any = decode(body, endpoint=Endpoint.EMBEDDINGS, wish=wish)
    vector = orjson.loads(packed.body)["data"][1]["embedding"]
    assert struct.unpack("<2f", base64.b64decode(vector)) == (2, 3)
    assert packed.usage == Usage(4)
