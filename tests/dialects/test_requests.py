"""Requests: the body goes out as the caller wrote it, but for the model, streaming and the server's quirks."""

from typing import Any

import orjson
import pytest

from providers.catalogue import Quirk
from providers.completion import Endpoint
from providers.dialects import WireRequest, dialect
from providers.dialects.openai_request import DROPS, RENAMES, short_tool_id
from providers.failure import ErrorClass, Failure
from tests.dialects.wire import KEY, target


def encode(body: Any, *quirks: Quirk, endpoint: Endpoint = Endpoint.CHAT, **changes: Any) -> WireRequest:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    wire = dialect("openai").encode(endpoint, content, target(quirks=frozenset(quirks), **changes))
    assert isinstance(wire, WireRequest), wire
    return wire


def sent(body: dict[str, Any], *quirks: Quirk) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(encode(body, *quirks).content)
    return content


MESSAGES = [{"role": "user", "content": "hi"}]


def test_the_model_is_the_deployments_and_unknown_fields_stay() -> None:
    body = {"model": "public", "messages": MESSAGES, "stream": True, "stream_options": {}, "guided_json": {"a": 1}}
    assert sent(body) == {"model": "asked-model", "messages": MESSAGES, "guided_json": {"a": 1}}


@pytest.mark.parametrize(
    ("endpoint", "path"), [(Endpoint.CHAT, "/chat/completions"), (Endpoint.EMBEDDINGS, "/embeddings")]
)
def test_each_endpoint_has_its_path(endpoint: Endpoint, path: str) -> None:
    assert encode({}, endpoint=endpoint).url == "https://api.acme.test/v1" + path


def test_the_key_travels_in_one_header_and_is_never_printed() -> None:
    wire = encode({"messages": MESSAGES})
    assert ("authorization", f"Bearer {KEY}") in wire.headers
    assert [KEY in value for _, value in wire.headers].count(True) == 1
    assert KEY not in repr(wire)
    assert KEY not in repr(target())
    assert KEY not in wire.url
    assert KEY.encode() not in wire.content


def test_without_a_key_there_is_no_authorization() -> None:
    assert "authorization" not in dict(encode({}, api_key=None).headers)


def test_configured_headers_are_added_and_win() -> None:
    headers = encode({}, headers=(("X-Title", "t"), ("Authorization", "Basic x"))).headers
    assert dict(headers)["x-title"] == "t"
    assert [value for name, value in headers if name == "authorization"] == ["Basic x"]


@pytest.mark.parametrize(
    ("quirks", "given", "expected"),
    [
        ((), {"max_tokens": 5}, {"max_tokens": 5}),
        ((), {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
        ((), {"max_tokens": 5, "max_completion_tokens": 6}, {"max_completion_tokens": 6}),
        ((Quirk.MAX_TOKENS,), {"max_completion_tokens": 6}, {"max_tokens": 6}),
        ((Quirk.MAX_TOKENS,), {"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
        ((Quirk.MAX_COMPLETION_TOKENS,), {"max_tokens": 5}, {"max_completion_tokens": 5}),
        ((Quirk.MAX_COMPLETION_TOKENS,), {"max_tokens": 5, "max_completion_tokens": 6}, {"max_completion_tokens": 6}),
        ((Quirk.RANDOM_SEED,), {"seed": 1}, {"random_seed": 1}),
        ((Quirk.NO_N,), {"n": 1}, {}),
        ((Quirk.NO_N,), {"n": 2}, {"n": 2}),
    ],
)
def test_parameters_go_by_the_servers_names(
    quirks: tuple[Quirk, ...], given: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert sent(given, *quirks) == {"model": "asked-model", **expected}


@pytest.mark.parametrize("quirk", DROPS)
def test_what_a_server_refuses_is_left_out_and_reported(quirk: Quirk) -> None:
    body = dict.fromkeys(DROPS[quirk], 1)
    wire = encode({"messages": MESSAGES, **body}, quirk)
    assert orjson.loads(wire.content) == {"model": "asked-model", "messages": MESSAGES}
    assert set(wire.dropped_params) == set(body)
    assert encode({"messages": MESSAGES, **body}).dropped_params == ()


def test_every_quirk_has_an_effect_or_a_reason() -> None:
    in_messages = {Quirk.SYSTEM_ROLE, Quirk.NO_MESSAGE_NAMES, Quirk.SHORT_TOOL_IDS}
    assert {*DROPS, *RENAMES, *in_messages, Quirk.NO_N, Quirk.NO_STREAM_OPTIONS} == set(Quirk)


def test_the_developer_role_becomes_system_where_it_is_unknown() -> None:
    body = {"messages": [{"role": "developer", "content": "x"}, {"role": "user", "content": "y"}]}
    assert [message["role"] for message in sent(body, Quirk.SYSTEM_ROLE)["messages"]] == ["system", "user"]
    assert sent(body)["messages"][0]["role"] == "developer"


def test_names_of_messages_are_left_out_but_not_those_of_tools() -> None:
    body = {"messages": [{"role": "user", "name": "bob"}, {"role": "tool", "name": "f"}]}
    wire = encode(body, Quirk.NO_MESSAGE_NAMES)
    assert orjson.loads(wire.content)["messages"] == [{"role": "user"}, {"role": "tool", "name": "f"}]
    assert wire.dropped_params == ("messages[].name",)


def test_tool_ids_are_shortened_the_same_way_on_both_sides_of_the_call() -> None:
    messages = [
        {"role": "assistant", "tool_calls": [{"id": "call_long_id"}]},
        {"role": "tool", "tool_call_id": "call_long_id"},
    ]
    call, result = sent({"messages": messages}, Quirk.SHORT_TOOL_IDS)["messages"]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"] == short_tool_id("call_long_id")
    assert len(result["tool_call_id"]) == 9
    assert result["tool_call_id"].isalnum()


def test_an_id_that_fits_stays() -> None:
    assert short_tool_id("abcDEF123") == "abcDEF123"
    assert short_tool_id("abcDEF12-") != short_tool_id("abcDEF12_")


@pytest.mark.parametrize(
    "messages", [None, "x", [None, 1, "x"], [{"tool_calls": "x"}], [{"tool_calls": [1, {"id": 2}]}]]
)
def test_odd_messages_are_sent_on_for_the_server_to_judge(messages: Any) -> None:
    assert sent({"messages": messages}, *Quirk)["messages"] == messages


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"a": NaN}', "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested too deeply"),
        (b'{"a":' * 100_000, "not valid JSON"),
    ],
)
def test_a_body_that_cannot_be_sent_is_the_callers_to_fix(body: bytes, says: str) -> None:
    outcome = dialect("openai").encode(Endpoint.CHAT, body, target())
    assert isinstance(outcome, Failure)
    assert outcome.error_class is ErrorClass.BAD_REQUEST
    assert says in outcome.message


@pytest.mark.parametrize("key", ["sk-a\nX-Evil: 1", "sk-\u00e4\u00f6", "sk-\r"])
def test_a_key_that_would_break_the_header_is_refused_unprinted(key: str) -> None:
    outcome = dialect("openai").encode(Endpoint.CHAT, b"{}", target(api_key=key))
    assert isinstance(outcome, Failure)
    assert outcome.error_class is ErrorClass.AUTH
    assert key not in outcome.message


def test_an_unknown_dialect_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="unknown dialect 'klingon'; known: openai"):
        dialect("klingon")
