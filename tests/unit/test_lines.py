"""Reading and checking the lines of a batch's input file."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.batch_inspection import MOST_ERRORS, Inspection, repeats
from router.batch_line import InputError, Request, parse_line
from router.routing import FailoverPolicy
from store.content_lines import LineTooLong, read_lines

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
RESPONSES = "/v1/responses"


def line(**changes: Any) -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    whole = {"custom_id": "a", "method": "POST", "url": CHAT, "body": body} | changes
    return json.dumps({name: value for name, value in whole.items() if value is not ...}).encode()


async def read(content: bytes, size: int, most: int = 1_000_000) -> list[tuple[int, bytes]]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), size):
            yield content[start : start + size]

    return [each async for group in read_lines(chunks(), most) for each in group]


async def test_a_line_that_spans_many_chunks_is_whole_and_the_next_one_apart() -> None:
    long = bytes(range(32, 127)) * 50
    assert await read(long + b"\n" + b"next", 64) == [(1, long), (2, b"next")]


@pytest.mark.parametrize("size", [1, 2, 7, 4096])
async def test_lines_end_at_line_feeds_only_wherever_the_chunks_are_cut(size: int) -> None:
    content = "one\n\ntwo \u2028 still two\r\nthree".encode()
    expected = [(1, b"one"), (2, b""), (3, "two \u2028 still two\r".encode()), (4, b"three")]
    assert await read(content, size) == expected


@given(st.binary(max_size=60).map(lambda data: data.replace(b"x", b"\n")), st.integers(1, 20))
async def test_no_byte_is_lost_or_moved_to_another_line(content: bytes, size: int) -> None:
    lines = await read(content, size)
    assert b"\n".join(data for _, data in lines) == content.removesuffix(b"\n")
    assert [number for number, _ in lines] == list(range(1, len(lines) + 1))


@pytest.mark.parametrize(
    ("content", "number"), [(b"ok\n" + b"x" * 11 + b"\n", 2), (b"x" * 11, 1), (b"\n\nxxxxxxxxxxx", 3)]
)
async def test_a_line_over_the_limit_is_named_by_its_number(content: bytes, number: int) -> None:
    with pytest.raises(LineTooLong) as caught:
        await read(content, 4, most=10)
    assert caught.value.line == number


def test_a_good_line_gives_its_request() -> None:
    parsed = parse_line(3, line(custom_id="x-1"), CHAT)
    assert isinstance(parsed, Request)
    assert (parsed.line, parsed.custom_id, parsed.model) == (3, "x-1", "m")
    assert parsed.body["messages"] == [{"role": "user", "content": "hi"}]


def test_a_line_may_say_how_far_it_may_move_and_the_provider_never_sees_it() -> None:
    parsed = parse_line(1, line(body={"model": "m", "messages": [1], "laneway": {"failover": "strict"}}), CHAT)
    assert isinstance(parsed, Request)
    assert (parsed.failover, parsed.body) == (FailoverPolicy.STRICT, {"model": "m", "messages": [1]})


@pytest.mark.parametrize(("wish", "param"), [({"failover": "far"}, "failover"), ({"timeout_s": 5}, ""), (1, "")])
def test_a_wish_that_a_line_cannot_have_is_an_error_of_the_line(wish: object, param: str) -> None:
    parsed = parse_line(4, line(body={"model": "m", "messages": [1], "laneway": wish}), CHAT)
    assert isinstance(parsed, InputError)
    assert (parsed.line, parsed.param) == (4, f"body.laneway.{param}".rstrip("."))


def test_blank_lines_and_a_byte_order_mark_are_fine() -> None:
    assert parse_line(1, b"  \r", CHAT) is None
    assert isinstance(parse_line(1, b"\xef\xbb\xbf" + line(), CHAT), Request)


@pytest.mark.parametrize(
    ("data", "code", "param"),
    [
        (b"{", "invalid_json_line", None),
        (b"[1]", "invalid_json_line", None),
        (b'{"custom_id": NaN}', "invalid_json_line", None),
        (b"[" * 100_000, "invalid_json_line", None),
        (line(custom_id=...), "missing_required_parameter", "custom_id"),
        (line(custom_id=None), "missing_required_parameter", "custom_id"),
        (line(custom_id=7), "invalid_type", "custom_id"),
        (line(custom_id=""), "invalid_value", "custom_id"),
        (line(custom_id="a\nb"), "invalid_value", "custom_id"),
        (line(custom_id="a\x00b"), "invalid_value", "custom_id"),
        (line(custom_id="x" * 513), "invalid_value", "custom_id"),
        (line(method="GET"), "invalid_method", "method"),
        (line(url=EMBEDDINGS), "mismatched_url", "url"),
        (line(body=...), "missing_required_parameter", "body"),
        (line(body="text"), "invalid_type", "body"),
        (line(body={"messages": []}), "missing_required_parameter", "body.model"),
        (line(body={"model": 1, "messages": [1]}), "invalid_type", "body.model"),
        (line(body={"model": "m"}), "missing_required_parameter", "body.messages"),
        (line(body={"model": "m", "messages": "hi"}), "invalid_type", "body.messages"),
        (line(body={"model": "m", "messages": []}), "invalid_value", "body.messages"),
        (line(body={"model": "m", "messages": [1], "stream": True}), "invalid_value", "body.stream"),
    ],
)
def test_a_bad_line_is_told_by_code_line_and_parameter(data: bytes, code: str, param: str | None) -> None:
    parsed = parse_line(5, data, CHAT)
    assert isinstance(parsed, InputError)
    assert (parsed.code, parsed.line, parsed.param) == (code, 5, param)
    assert len(parsed.message) < 700


def test_an_embeddings_line_needs_an_input() -> None:
    good = line(url=EMBEDDINGS, body={"model": "m", "input": ["a", "b"]})
    bad = line(url=EMBEDDINGS, body={"model": "m", "input": 3})
    assert isinstance(parse_line(1, good, EMBEDDINGS), Request)
    assert isinstance(parse_line(1, bad, EMBEDDINGS), InputError)


@pytest.mark.parametrize("field", ["background", "previous_response_id", "conversation", "stream"])
def test_a_response_in_a_batch_stands_for_itself(field: str) -> None:
    body = {"model": "m", "input": "hi", "store": False}
    assert isinstance(parse_line(1, line(url=RESPONSES, body={**body, field: None}), RESPONSES), Request)
    bad = parse_line(1, line(url=RESPONSES, body={**body, field: "x"}), RESPONSES)
    assert isinstance(bad, InputError)
    assert bad.param == f"body.{field}"


@given(st.binary(max_size=200))
def test_no_bytes_make_the_check_raise(data: bytes) -> None:
    assert isinstance(parse_line(1, data, CHAT), InputError | Request | None)


def inspect(*lines: bytes) -> Inspection:
    inspection = Inspection(CHAT, lambda name: None if name == "m" else f"no {name}")
    inspection.add(list(enumerate(lines, 1)))
    return inspection


def test_an_inspection_counts_requests_and_models() -> None:
    inspection = inspect(line(custom_id="a"), b"", line(custom_id="b"))
    assert (inspection.total, list(inspection.models), inspection.errors) == (2, ["m"], [])
    assert inspection.repeated_hashes() == set()


def test_an_unknown_model_is_an_error_on_every_line_that_names_it() -> None:
    other = {"model": "zz", "messages": [1]}
    errors = inspect(line(), line(custom_id="b", body=other), line(custom_id="c", body=other)).errors
    assert [(error.code, error.line) for error in errors] == [("model_not_found", 2), ("model_not_found", 3)]


def test_repeated_custom_ids_are_found_by_a_second_reading() -> None:
    lines = [line(custom_id=name) for name in ("a", "b", "a", "c", "a")]
    inspection = inspect(*lines)
    seen: dict[str, int] = {}
    hashes = inspection.repeated_hashes()
    found = repeats(list(enumerate(lines[:3], 1)), CHAT, hashes, seen)
    found += repeats(list(enumerate(lines[3:], 4)), CHAT, hashes, seen)
    assert [(error.code, error.line) for error in found] == [("duplicate_custom_id", 3), ("duplicate_custom_id", 5)]
    assert "line 1" in found[0].message


def test_equal_hashes_of_different_ids_are_no_repeat() -> None:
    lines = [(1, line(custom_id="a")), (2, line(custom_id="b"))]
    assert repeats(lines, CHAT, {hash("a"), hash("b")}, {}) == []


def test_a_hundred_errors_are_kept_and_all_are_counted() -> None:
    inspection = inspect(*[b"{"] * (MOST_ERRORS + 50))
    assert (len(inspection.errors), inspection.error_count, inspection.total) == (MOST_ERRORS, 150, 150)
    assert inspection.is_full
