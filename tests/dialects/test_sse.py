"""Server-sent events: the line rules, and that no way of cutting a body changes its events."""

from hypothesis import given
from hypothesis import strategies as st

from providers.dialects.sse import Event, EventParser
from tests.dialects.test_any_bytes import CALM

LINES = st.sampled_from(
    [b"data: a", b"data:b", b"data", b"data: ", b"data:  two", b": comment", b":", b"event: error", b"event:x",
     b"id: 1", b"retry: 5", b"database: no", b"\xef\xbb\xbfdata: bom", b"", b"\xff\x00", b"data: \xc3\xa4", b"x" * 40]
)  # fmt: skip
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
BODIES = st.lists(st.tuples(LINES, ENDS), max_size=12).map(lambda lines: b"".join(line + end for line, end in lines))


def events(*pieces: bytes) -> list[Event]:
    parser = EventParser()
    found = [event for piece in pieces for event in parser.feed(piece)]
    return found + parser.feed(b"\n\n")


def test_data_comes_with_and_without_a_space() -> None:
    assert events(b"data: a\n\ndata:b\n\ndata:  c\n\n") == [Event(b"", b"a"), Event(b"", b"b"), Event(b"", b" c")]


def test_all_line_ends_are_understood() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        body = end.join([b"event: error", b"data: a", b"data: b", b"", b"data: c", b"", b""])
        assert events(body) == [Event(b"error", b"a\nb"), Event(b"", b"c")]


def test_comments_and_other_fields_are_skipped() -> None:
    assert events(b": PROCESSING\n\nid: 7\nretry: 3\ndata: a\n\n:\n\nevent: only\n\ndata: b\n\n") == [
        Event(b"", b"a"),
        Event(b"", b"b"),
    ]


def test_an_event_without_its_empty_line_counts_at_the_end() -> None:
    assert events(b"data: a\n\ndata: [DONE]") == [Event(b"", b"a"), Event(b"", b"[DONE]")]


def test_an_event_comes_out_with_the_piece_that_completes_it() -> None:
    parser = EventParser()
    assert parser.feed(b"data: a\n") == []
    assert parser.pending_bytes == len(b"data: a")
    assert parser.feed(b"\nda") == [Event(b"", b"a")]
    assert parser.pending_bytes == 2
    assert parser.feed(b"ta: bc\r") == []
    assert parser.feed(b"\n\r\n") == [Event(b"", b"bc")]
    assert parser.pending_bytes == 0


@CALM
@given(st.binary(max_size=300) | BODIES, st.lists(st.integers(0, 300), max_size=12))
def test_no_way_of_cutting_a_body_changes_its_events(body: bytes, cuts: list[int]) -> None:
    places = sorted({min(cut, len(body)) for cut in cuts})
    pieces = [body[start:end] for start, end in zip([0, *places], [*places, len(body)], strict=True)]
    assert events(*pieces) == events(body)
    assert events(*(bytes([byte]) for byte in body)) == events(body)


@CALM
@given(st.lists(BODIES, max_size=4))
def test_what_is_held_is_never_more_than_what_came(pieces: list[bytes]) -> None:
    parser, came = EventParser(), 0
    for piece in pieces:
        parser.feed(piece)
        came += len(piece)
        assert 0 <= parser.pending_bytes <= came
    parser.feed(b"\n\n")
    assert parser.pending_bytes == 0
