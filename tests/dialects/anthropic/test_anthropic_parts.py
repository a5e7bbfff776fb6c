"""Parts of a message become content blocks of the Messages API."""

from typing import Any

import pytest

from providers.failure import ErrorClass
from tests.dialects.anthropic.messages_api import body_of, refused, said

MARK = {"type": "ephemeral"}
PNG = "iVBORw0KGgo="


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


PARTS = {
    "a picture in the request": (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
    ),
    "a picture of a misspelt type": (
        {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PNG}"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": PNG}},
    ),
    "a picture by its address": (
        {"type": "image_url", "image_url": {"url": "https://pictures.test/a.png"}, "cache_control": MARK},
        {"type": "image", "source": {"type": "url", "url": "https://pictures.test/a.png"}, "cache_control": MARK},
    ),
    "a PDF": (
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
            "title": "a.pdf",
        },
    ),
    "a PDF by its address": (
        {"type": "file", "file": {"file_data": "https://papers.test/a.pdf"}, "cache_control": MARK},
        {"type": "document", "source": {"type": "url", "url": "https://papers.test/a.pdf"}, "cache_control": MARK},
    ),
    "a text file": (
        {"type": "file", "file": {"file_data": "data:text/csv;base64,w6Q7Yg==", "filename": "a.csv"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ä;b"}, "title": "a.csv"},
    ),
    "a picture as a file": (
        {"type": "file", "file": {"file_data": f"data:image/png;base64,{PNG}"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
    ),
    "a file that was uploaded before": (
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
    ),
    "text with a mark for the cache": ({**words("Hi"), "cache_control": MARK}, {**words("Hi"), "cache_control": MARK}),
}


@pytest.mark.parametrize(("part", "block"), PARTS.values(), ids=PARTS)
def test_parts_become_blocks(part: dict[str, Any], block: dict[str, Any]) -> None:
    assert body_of(said(user(part)))["messages"] == [{"role": "user", "content": [block]}]


def test_a_result_may_show_pictures() -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    call = {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": [words("See"), picture]}
    body = body_of(said("Hi", {"role": "assistant", "tool_calls": [call]}, result))
    shown = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    assert body["messages"][-1]["content"][0]["content"] == [words("See"), shown]


UNSENDABLE = {
    "sound": (
        [user({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}})],
        "messages[0].content[0]",
        "audio",
    ),
    "a picture of an unknown type": (
        [user(words("See"), {"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AAAA"}})],
        "messages[0].content[1]",
        "image/tiff",
    ),
    "an archive": (
        [user({"type": "file", "file": {"file_data": "data:application/zip;base64,UEsDBA=="}})],
        "messages[0].content[0]",
        "application/zip",
    ),
    "a text file that is none": (
        [user({"type": "file", "file": {"file_data": "data:text/plain;base64,//8="}})],
        "messages[0].content[0]",
        "UTF-8",
    ),
    "an address in a cloud's store": (
        [user({"type": "image_url", "image_url": {"url": "gs://bucket/a.png"}})],
        "messages[0].content[0]",
        "https",
    ),
}


@pytest.mark.parametrize(("messages", "param", "reason"), UNSENDABLE.values(), ids=UNSENDABLE)
def test_what_the_api_cannot_be_shown_is_refused_with_its_place(messages: list[Any], param: str, reason: str) -> None:
    failure = refused(said(*messages))
    assert failure.error_class is ErrorClass.BAD_REQUEST
    assert failure.param == param
    assert reason in failure.message
