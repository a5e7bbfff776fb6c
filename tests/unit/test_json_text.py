"""The strict JSON reader: what it takes equals the standard reader's value, what it refuses is refused for a reason."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.json_text import MAX_DEPTH, BadJson, parse_json

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
)


@given(values, st.booleans())
def test_good_json_is_read_like_everybody_reads_it(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text.encode()) == value


@given(st.binary())
def test_no_bytes_make_it_fail_otherwise(text: bytes) -> None:
    try:
        parse_json(text)
    except BadJson:
        return
    json.loads(text)


@given(st.text('[]{}",:\\a1 '))
def test_brackets_and_quotes_in_any_order_are_read_like_the_standard_reader_does(text: str) -> None:
    deep = text * 10
    try:
        value = json.loads(deep)
    except ValueError:
        with pytest.raises(BadJson):
            parse_json(deep.encode())
    else:
        assert parse_json(deep.encode()) == value


def test_depth_is_counted_outside_strings() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":[' * (depth // 2) + b"1" + b"]}" * (depth // 2)

    assert parse_json(nested(MAX_DEPTH))
    with pytest.raises(BadJson, match="deeper"):
        parse_json(nested(MAX_DEPTH + 2))
    in_strings = json.dumps(["[" * 1000, '\\"' + "{" * 1000, "\\"]).encode()
    assert parse_json(in_strings)[0] == "[" * 1000
    assert len(parse_json(b"[" + b"[]," * 100_000 + b"[]]")) == 100_001


@pytest.mark.parametrize(
    "text",
    [b"[" * 1_000_000, b'"' * 1_000_000, b'["' + b'\\"' * 500_000, b"[" * 100 + b'"\\' * 300_000, b"[]" * 500_000,
     b"[" * 500_000 + b"]" * 500_000, b"[{" * 300_000, b"\\" * 1_000_000 + b"[" * 65],
)  # fmt: skip
def test_a_megabyte_of_malice_is_refused_quickly(text: bytes) -> None:
    started = time.process_time()  # what it costs, and not what else the machine does
    with pytest.raises(BadJson):
        parse_json(text)
    assert time.process_time() - started < 5
