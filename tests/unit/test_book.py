"""A book counts what one process sees of a deployment, and lets lines approach it step by step."""

from hypothesis import given
from hypothesis import strategies as st

from providers.completion import Answer, Usage
from router.breaker import BreakerPolicy
from workers.book import Book
from workers.recent import Recent

NOW = 1_700_000_000_000
ANSWER = Answer(b"{}", "m", Usage(prompt_tokens=10, completion_tokens=20))


def book() -> Book:
    return Book(BreakerPolicy())


@given(st.lists(st.integers(0, 30_000), max_size=40), st.integers(0, 70_000))
def test_the_last_minute_is_counted_to_within_five_seconds(gaps: list[int], later: int) -> None:
    recent, now, at = Recent(), NOW, []
    for gap in gaps:
        now += gap
        recent.note(now)
        at.append(now)
    now += later
    surely = sum(each > now - 55_000 for each in at)
    at_most = sum(each > now - 60_000 for each in at)
    assert surely <= recent.per_minute(now) <= at_most
    assert recent.per_minute(now + 60_000) == 0


def test_refused_calls_are_not_accepted_ones() -> None:
    subject = book()
    subject.started.note(NOW, 3)
    subject.started.note(NOW, -1)
    assert subject.per_minute(NOW + 50_000) == 2 * 60 // 50
    subject.started.note(NOW, -5)
    assert subject.per_minute(NOW) == 0


@given(st.integers(1, 40), st.integers(1_000, 70_000))
def test_the_pace_of_steady_calls_is_known_before_a_minute_has_passed(per_second: int, passed_ms: int) -> None:
    subject = book()
    for at_ms in range(0, passed_ms, 1_000):
        subject.started.note(NOW + at_ms, per_second)
    assert subject.started.is_whole(NOW + passed_ms) == (passed_ms >= 60_000)
    calls, seconds = subject.per_minute(NOW + passed_ms), passed_ms / 1_000
    assert 55 * per_second <= calls <= 60 * per_second * (seconds + 1) / seconds


def test_the_time_of_a_token_is_what_calls_took_lately() -> None:
    assert book().us_per_output_token is None
    subject = book()
    subject.answered(ANSWER, b"{}", 100, NOW)
    assert subject.us_per_output_token == 5_000
    for _ in range(60):
        subject.answered(ANSWER, b"{}", 400, NOW)
    assert subject.us_per_output_token == 20_000
    subject.answered(Answer(b"{}", "m", None), b"{}", 10**6, NOW)
    assert subject.us_per_output_token == 20_000


def test_an_answer_without_output_has_a_time_too() -> None:
    subject = book()
    subject.answered(Answer(b"{}", "m", Usage(prompt_tokens=10, completion_tokens=0)), b"{}", 7, NOW)
    assert subject.us_per_output_token == 7_000


def test_a_quiet_deployment_is_approached_by_some_lines_and_answers_let_in_more() -> None:
    subject = book()
    first = subject.allowance(NOW)
    assert 0 < first < 100
    subject.running = first
    assert subject.allowance(NOW) == 0
    subject.running -= 1
    subject.answered(ANSWER, b"{}", 1, NOW)
    assert subject.allowance(NOW) > 1


def test_time_without_a_refusal_lets_in_more_lines() -> None:
    subject = book()
    subject.running = subject.allowance(NOW)
    allowed = [subject.allowance(NOW + passed) for passed in (0, 100, 1_000)]
    assert allowed[0] == 0 < allowed[1] < allowed[2]


def test_after_a_closure_fewer_lines_begin_and_no_time_but_only_answers_let_in_more() -> None:
    subject, fresh = book(), book()
    for _ in range(500):
        subject.answered(ANSWER, b"{}", 1, NOW)
    assert subject.allowance(NOW) > 500
    subject.closed(NOW)
    assert 0 < subject.allowance(NOW) < fresh.allowance(NOW)
    assert subject.allowance(NOW + 1_000) == subject.allowance(NOW)
    before = subject.allowance(NOW)
    subject.answered(ANSWER, b"{}", 1, NOW)
    assert subject.allowance(NOW) > before


def test_after_a_quiet_minute_much_that_was_allowed_is_forgotten() -> None:
    subject = book()
    for _ in range(500):
        subject.answered(ANSWER, b"{}", 1, NOW)
    assert subject.allowance(NOW + 61_000) == book().allowance(NOW)


def test_a_closure_counts_from_the_first_time_it_was_seen() -> None:
    subject = book()
    subject.closed(NOW)
    subject.closed(NOW + 5)
    assert subject.closed_since_ms == NOW
    subject.opened()
    assert subject.closed_since_ms is None
