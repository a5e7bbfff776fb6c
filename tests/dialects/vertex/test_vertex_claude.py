"""Claude on Vertex: the Messages API in Google's envelope."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from anthropic._models import FinalRequestOptions
from anthropic.lib.vertex import _client
from hypothesis import given, settings

from providers.completion import Answer, Endpoint, Target
from providers.dialects import WireRequest
from providers.failure import ErrorClass
from tests.dialects.chat_requests import chat_requests
from tests.dialects.gemini.google import decode, encode, failure, read, refused, sent, written
from tests.dialects.gemini.google import target as studio
from tests.dialects.recordings import recorded_bodies
from tests.dialects.streams import Read
from tests.dialects.test_any_bytes import CALM

HOST = "https://us-east5-aiplatform.googleapis.com/v1"
BASE = f"{HOST}/projects/p1/locations/us-east5/publishers/anthropic"
MODEL = "claude-sonnet-4-5@20250929"
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 2},
}


def target(dialect: str = "vertex", **changes: Any) -> Target:
    """A deployment of Claude, on Vertex or at its vendor."""
    settings = (("publisher", "anthropic"), *changes.pop("settings", ()))
    values: dict[str, Any] = {"base_url": BASE, "model": MODEL, "max_output_tokens": 8_192}
    return studio(**{**values, "dialect": dialect, "settings": settings, **changes})


def in_pieces(body: bytes, to: Target, size: int = 1) -> Read:
    return read(*(body[at : at + size] for at in range(0, len(body), size)), to=to)


def test_the_model_stands_in_the_address_and_the_version_in_the_body() -> None:
    request = written({}, target())
    assert request.url == f"{BASE}/models/{MODEL}:rawPredict"
    body = orjson.loads(request.content)
    assert body["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in body
    assert "anthropic-version" not in dict(request.headers)


def test_betas_stand_in_the_body() -> None:
    to = target(settings=(("beta", "one-2026-01-01, two-2026-01-01"),))
    assert sent({}, to)["anthropic_beta"] == ["one-2026-01-01", "two-2026-01-01"]
    assert "anthropic-beta" not in dict(written({}, to).headers)


@settings(CALM, max_examples=60)
@given(chat_requests())
def test_the_envelope_is_the_one_that_the_vendors_client_makes(body: dict[str, Any]) -> None:
    for stream in (False, True):
        plain = encode(body, target("anthropic"), stream=stream)
        ours = encode(body, target(), stream=stream)
        assert isinstance(ours, WireRequest) == isinstance(plain, WireRequest)
        if not isinstance(ours, WireRequest) or not isinstance(plain, WireRequest):
            continue
        betas = dict(plain.headers).get("anthropic-beta")
        asked = orjson.loads(plain.content) | ({"anthropic_beta": betas.split(",")} if betas else {})
        options = FinalRequestOptions.construct(
            method="post", url="/v1/messages", json_data={**asked, "anthropic_version": "vertex-2023-10-16"}
        )
        theirs: Any = _client._prepare_options(options, project_id="p1", region="us-east5")
        assert ours.url == HOST + theirs.url.replace("%40", "@")
        assert orjson.loads(ours.content) == theirs.json_data


def test_an_answer_is_a_message() -> None:
    outcome = decode(MESSAGE, target())
    assert isinstance(outcome, Answer)
    assert orjson.loads(outcome.body)["choices"][0]["message"]["content"] == "Hi"
    assert (outcome.model, outcome.finish_reason) == ("claude-sonnet-4-5-20250929", "stop")


def test_the_setting_decides_whose_words_an_answer_is_in() -> None:
    google = studio(dialect="vertex", base_url=BASE, model=MODEL)
    assert failure(MESSAGE, google).error_class is ErrorClass.INVALID_RESPONSE


@pytest.mark.parametrize(
    ("body", "status", "error_class"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}, 529, ErrorClass.OVERLOADED),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}, 200, ErrorClass.OVERLOADED),
        ({"type": "error", "error": {"type": "invalid_request_error", "message": "No."}}, 200, ErrorClass.BAD_REQUEST),
        ({"type": "error", "error": {"type": "api_error", "message": "Oh."}}, 200, ErrorClass.SERVER_ERROR),
        ({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "No."}}, 403, ErrorClass.PERMISSION),
        ([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Slow."}}], 429, ErrorClass.RATE_LIMIT),
        ({"error": {"code": 404, "status": "NOT_FOUND", "message": "No model."}}, 404, ErrorClass.NOT_FOUND),
    ],
)
def test_a_refusal_may_be_googles_or_the_publishers(body: Any, status: int, error_class: ErrorClass) -> None:
    assert failure(body, target(), status=status).error_class is error_class


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}},
        {"error": {"code": 503, "status": "UNAVAILABLE", "message": "Busy."}},
    ],
)
def test_a_stream_may_break_off_in_either_words(error: dict[str, Any]) -> None:
    body = b"event: error\ndata: " + orjson.dumps(error) + b"\n\n"
    assert read(body, to=target()).failure.error_class is ErrorClass.OVERLOADED


def test_there_are_no_embeddings() -> None:
    assert refused({"input": "a"}, target(), endpoint=Endpoint.EMBEDDINGS).error_class is ErrorClass.BAD_REQUEST


RECORDED = recorded_bodies("anthropic", ending="-text.chunks.txt") + recorded_bodies(
    "anthropic", ending="-no-args.chunks.txt"
)


@pytest.mark.parametrize("file", RECORDED)
def test_a_recorded_stream_reads_as_at_its_vendor_however_it_is_cut(file: Path) -> None:
    lines = [line for line in file.read_bytes().splitlines() if line.strip()]
    body = b"".join(b"event: %s\ndata: %s\n\n" % (orjson.loads(line)["type"].encode(), line) for line in lines)
    there = read(body, to=target("anthropic"))
    assert read(body, to=target()).raw == there.raw
    assert in_pieces(body, target()).raw == there.raw
    cut = body[: body.index(b"event: message_delta")]
    assert read(cut, to=target()).failure.error_class is ErrorClass.INVALID_RESPONSE
