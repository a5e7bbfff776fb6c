"""Chat requests of the bedrock dialect, each held against the service model and against botocore's own serializer."""

from base64 import b64encode
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.catalogue.model_trait import ModelTrait
from providers.completion import ParamPolicy
from providers.dialects import WireRequest
from providers.failure import ErrorClass
from tests.dialects.bedrock.service_model import BASE, HELLO, judged, refused, sent, written
from tests.dialects.chat_requests import chat_requests

PNG = "data:image/png;base64,iVBORw0KGgo="
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Tells it", "parameters": {}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bonn"}'}}
ROUND: list[dict[str, Any]] = [
    {"role": "user", "content": "How is it?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "Rain"},
]


def file(data: str, name: str = "report.pdf", media_type: str = "application/pdf") -> dict[str, Any]:
    return {"type": "file", "file": {"file_data": f"data:{media_type};base64,{data}", "filename": name}}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def test_a_plain_request_names_the_model_in_its_address_and_nothing_else() -> None:
    request = written({"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": "END"})
    assert isinstance(request, WireRequest)
    assert request.url == f"{BASE}/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    assert judged(request) == {
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
    }
    assert dict(request.headers)["authorization"] == "Bearer key"


def test_a_stream_is_asked_for_at_its_own_address_in_its_own_format() -> None:
    request = written({}, stream=True)
    assert isinstance(request, WireRequest)
    assert request.url.endswith("/converse-stream")
    assert dict(request.headers)["accept"] == "application/vnd.amazon.eventstream"


def test_an_arn_is_one_segment_of_the_path() -> None:
    arn = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude"
    request = written({}, model=arn)
    assert isinstance(request, WireRequest)
    assert request.url == (
        f"{BASE}/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3Ainference-profile%2Feu.anthropic.claude/converse"
    )


def test_instructions_at_the_start_are_system_text_and_later_ones_go_into_the_turns() -> None:
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral"}}]},
        {"role": "developer", "content": "Be kind"},
        {"role": "user", "content": "Hello"},
        {"role": "system", "content": "Be quick"},
    ]
    body = sent({"messages": messages})
    assert body["system"] == [{"text": "Be brief"}, {"cachePoint": {"type": "default"}}, {"text": "Be kind"}]
    assert body["messages"] == [{"role": "user", "content": [{"text": "Hello"}, {"text": "Be quick"}]}]
    late = sent({"messages": messages}, ModelTrait.LATE_SYSTEM)
    assert [turn["role"] for turn in late["messages"]] == ["user", "system"]


def test_roles_alternate_and_blank_texts_are_left_out() -> None:
    messages = [
        {"role": "user", "content": "One"},
        {"role": "user", "content": [{"type": "text", "text": " "}, {"type": "text", "text": "Two"}]},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "Three"},
        {"role": "assistant", "content": "Four"},
        {"role": "assistant", "content": "Five \n"},
    ]
    assert sent({"messages": messages})["messages"] == [
        {"role": "user", "content": [{"text": "One"}, {"text": "Two"}, {"text": "Three"}]},
        {"role": "assistant", "content": [{"text": "Four"}, {"text": "Five"}]},
    ]
    assert refused({"messages": messages}, ModelTrait.NO_PREFILL).param == "messages"
    assert refused({"messages": [{"role": "user", "content": " "}]}).param == "messages"


def test_instructions_alone_are_the_question() -> None:
    body = sent({"messages": [{"role": "system", "content": "Alone"}]})
    assert body == {"messages": [{"role": "user", "content": [{"text": "Alone"}]}]}


def test_the_user_has_the_first_turn() -> None:
    turns = sent({"messages": [{"role": "assistant", "content": "Welcome"}, *HELLO]})["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[0]["content"] == [{"text": "."}]


def test_results_come_before_what_the_user_said_meanwhile() -> None:
    turns = sent({"messages": [*ROUND[:2], *HELLO, ROUND[2]], "tools": [WEATHER]})["messages"]
    assert [set(block) for block in turns[2]["content"]] == [{"toolResult"}, {"text"}]


def test_a_call_without_its_result_is_refused_and_so_is_a_result_without_its_call() -> None:
    assert refused({"messages": [*ROUND[:2], *HELLO]}).param == "messages[1].tool_calls[0]"
    assert refused({"messages": [HELLO[0], ROUND[2]]}).param == "messages[1].tool_call_id"


@pytest.mark.parametrize("model", [".", ".."])
def test_a_model_cannot_name_another_place(model: str) -> None:
    assert refused({}, model=model).param == "model"


def test_calls_and_results_are_blocks_and_results_share_a_turn_with_what_follows() -> None:
    two = [CALL, {**CALL, "id": "call with blanks"}]
    messages = [
        ROUND[0],
        {"role": "assistant", "content": "I look", "tool_calls": two},
        ROUND[2],
        {"role": "tool", "tool_call_id": "call with blanks", "content": [{"type": "image_url", "image_url": PNG}]},
        {"role": "user", "content": "So?"},
    ]
    body = sent({"messages": messages, "tools": [WEATHER]})
    asked, answered = body["messages"][1]["content"], body["messages"][2]["content"]
    assert asked[:2] == [
        {"text": "I look"},
        {"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {"city": "Bonn"}}},
    ]
    assert answered[0] == {"toolResult": {"toolUseId": "call_1", "content": [{"text": "Rain"}]}}
    assert answered[1]["toolResult"]["toolUseId"] == asked[2]["toolUse"]["toolUseId"] != "call with blanks"
    assert answered[1]["toolResult"]["content"][0]["image"]["format"] == "png"
    assert answered[2] == {"text": "So?"}
    assert body["toolConfig"] == {
        "tools": [
            {
                "toolSpec": {
                    "name": "weather",
                    "description": "Tells it",
                    "inputSchema": {"json": {"type": "object", "properties": {}}},
                }
            }
        ]
    }


def test_a_history_with_calls_brings_a_stand_in_where_no_tool_may_be_called() -> None:
    asked: list[dict[str, Any]] = [{}, {"tools": [WEATHER], "tool_choice": "none"}]
    for fields in asked:
        config = sent({"messages": ROUND, **fields})["toolConfig"]
        assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["unavailable"]
        assert "toolChoice" not in config
    assert "toolConfig" not in sent({"tools": [WEATHER], "tool_choice": "none"})


def test_media_travel_as_bytes_or_from_s3() -> None:
    pdf = b64encode(b"%PDF-1.4").decode()
    content = sent(
        user(
            {"type": "image_url", "image_url": {"url": PNG}},
            {"type": "image_url", "image_url": {"url": "s3://bucket/picture.webp"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            file(pdf, "Q3 report: final (v2).pdf"),
            file(pdf, "Q3_report final (v2).pdf"),
            file(b64encode(b"a,b").decode(), "data.csv", "text/csv"),
        ),
        settings=(("bucket_links", "true"),),
    )["messages"][0]["content"]
    assert content[0] == {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}
    assert content[1] == {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://bucket/picture.webp"}}}}
    assert content[2] == {"audio": {"format": "wav", "source": {"bytes": "UklGRg=="}}}
    assert [block["document"]["name"] for block in content[3:6]] == [
        "Q3 report final (v2)",
        "Q3 report final (v2) 2",
        "data",
    ]
    assert [block["document"]["format"] for block in content[3:6]] == ["pdf", "pdf", "csv"]
    assert content[6] == {"text": "Attached: Q3 report final (v2), Q3 report final (v2) 2, data"}


def test_a_document_beside_text_needs_no_more() -> None:
    content = sent(user(file("JVBERg=="), {"type": "text", "text": "Read it"}))["messages"][0]["content"]
    assert len(content) == 2


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ({"type": "image_url", "image_url": {"url": "https://pictures.test/a.png"}}, "link"),
        ({"type": "image_url", "image_url": {"url": "s3://bucket/a.png"}}, "bucket_links"),
        ({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AAAA"}}, "PNG"),
        ({"type": "file", "file": {"file_id": "file_1"}}, "by its id"),
        (file("AAAA", "a.zip", "application/zip"), "document of this type"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "amr"}}, "amr"),
    ],
)
def test_media_that_cannot_be_sent_are_refused_with_their_place(part: dict[str, Any], fault: str) -> None:
    failure = refused({"messages": [HELLO[0], {"role": "user", "content": [part]}]})
    assert failure.error_class is ErrorClass.BAD_REQUEST
    assert failure.param == "messages[1].content"
    assert failure.code == "unsupported_parameter"
    assert fault in failure.message
    assert "pictures.test" not in failure.message


def test_cache_marks_become_points_behind_what_they_mark() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    tool = {**WEATHER, "cache_control": mark}
    result = {
        "role": "tool",
        "tool_call_id": "call_1",
        "content": [{"type": "text", "text": "R", "cache_control": mark}],
    }
    body = sent({"messages": [*ROUND[:2], result], "tools": [tool]})
    assert body["toolConfig"]["tools"][1] == point
    assert body["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "call_1", "content": [{"text": "R"}]}},
        point,
    ]


def test_thoughts_go_back_with_their_seals_and_without_one_not_at_all() -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm", "signature": "seal"},
        {"type": "redacted_thinking", "data": "c2VhbGVk"},
    ]
    said = {"role": "assistant", "content": "Well", "thinking_blocks": blocks}
    content = sent({"messages": [HELLO[0], said, HELLO[0]]})["messages"][1]["content"]
    assert content == [
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "seal"}}},
        {"reasoningContent": {"redactedContent": "c2VhbGVk"}},
        {"text": "Well"},
    ]
    unsealed = {"role": "assistant", "content": "Well", "reasoning_content": "Hm"}
    request = written({"messages": [HELLO[0], unsealed, HELLO[0]]})
    assert isinstance(request, WireRequest)
    assert judged(request)["messages"][1]["content"] == [{"text": "Well"}]
    assert request.dropped_params == ("messages[].reasoning_content",)


@pytest.mark.parametrize("name", ["dotted.name", "n" * 65])
def test_a_tools_name_that_is_not_taken_is_refused(name: str) -> None:
    assert refused({"tools": [{"type": "function", "function": {"name": name}}]}).param == "tools[0]"


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    chat_requests(),
    st.frozensets(st.sampled_from(ModelTrait), max_size=6),
    st.sampled_from(ParamPolicy),
    st.booleans(),
)
def test_whatever_is_sent_keeps_to_the_service_model(
    body: dict[str, Any], traits: frozenset[ModelTrait], policy: ParamPolicy, stream: bool
) -> None:
    request = written(body, *traits, stream=stream, params=policy)
    if not isinstance(request, WireRequest):
        assert request.error_class is ErrorClass.BAD_REQUEST
        return
    sent_body = judged(request)
    roles = [turn["role"] for turn in sent_body["messages"]]
    assert all(one != other for one, other in pairwise(roles))
    kinds = {kind for turn in sent_body["messages"] for block in turn["content"] for kind in block}
    assert "toolConfig" in sent_body or not kinds & {"toolUse", "toolResult"}


def test_a_document_never_takes_the_name_that_another_was_given() -> None:
    names = ["a.pdf", "a.pdf", "a 2.pdf", "a 2.pdf", "a.pdf"]
    content = sent(user(*(file("QQ==", name) for name in names)))["messages"][0]["content"]
    given = [block["document"]["name"] for block in content if "document" in block]
    assert given == ["a", "a 2", "a 2 2", "a 2 3", "a 3"]
