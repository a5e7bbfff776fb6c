"""An estimate keeps to what a request allows, and learns from every answer."""

from hypothesis import given
from hypothesis import strategies as st

from providers.completion import Usage
from workers.estimate import Estimate


def test_output_is_what_was_written_lately_and_at_most_what_is_allowed() -> None:
    estimate = Estimate()
    body = b'{"max_tokens": 100}'
    assert estimate.of(body, counts_asked=False).output_tokens == 100
    for _ in range(3):
        estimate.learn(body, Usage(prompt_tokens=5, completion_tokens=10))
    assert estimate.of(body, counts_asked=False).output_tokens == 10
    assert estimate.of(b'{"max_tokens": 4}', counts_asked=False).output_tokens == 4


def test_where_the_provider_counts_what_is_asked_that_is_the_estimate() -> None:
    estimate = Estimate()
    estimate.learn(b"{}", Usage(prompt_tokens=5, completion_tokens=10))
    assert estimate.of(b'{"max_tokens": 4000}', counts_asked=True).output_tokens == 4000
    assert estimate.of(b"{}", counts_asked=True).output_tokens == 10


@given(st.integers(1, 4_000), st.integers(0, 4_000), st.integers(1, 20))
def test_equal_calls_are_estimated_right_after_some_answers(prompt: int, completion: int, size: int) -> None:
    estimate, body = Estimate(), b"x" * (size * prompt)
    for _ in range(200):
        estimate.learn(body, Usage(prompt_tokens=prompt, completion_tokens=completion))
    found = estimate.of(body, counts_asked=False)
    assert abs(found.input_tokens - prompt) <= 1
    assert found.output_tokens == completion


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.binary(max_size=40)), max_size=20))
def test_an_estimate_is_a_positive_input_and_no_negative_output_whatever_was_told(
    answers: list[tuple[int, int, bytes]],
) -> None:
    estimate = Estimate()
    for prompt, completion, body in answers:
        estimate.learn(body, Usage(prompt_tokens=prompt, completion_tokens=completion))
    found = estimate.of(b"", counts_asked=False)
    assert found.input_tokens >= 1
    assert found.output_tokens >= 0
