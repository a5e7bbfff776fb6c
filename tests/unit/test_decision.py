"""The retry decision: each class by example, the whole by property."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.failure import ErrorClass, Failure
from router.decision import Decision, Failover, GiveUp, JobFacts, Retry, RetryPolicy, after, counted, decide
from router.failure_rules import RULES, Here, Label
from router.routing import Tier

NOW = 1_700_000_000_000
DOCS = Path(__file__).parents[2] / "docs" / "errors.md"
POLICY = RetryPolicy()
FIRST = JobFacts(
    attempt=1,
    tries=0,
    provider_tries=0,
    unknowns=0,
    route_index=0,
    deadline_at_ms=NOW + 86_400_000,
)
WITH_FALLBACK = replace(FIRST, onward=1)
E = ErrorClass
ONWARD = Failover(route_index=1, not_before_ms=NOW)
TRANSIENT = [E.OVERLOADED, E.NETWORK, E.SERVER_ERROR, E.TIMEOUT]
NOT_THERE = [E.AUTH, E.PERMISSION, E.BILLING, E.NOT_FOUND]
MENDED_BY = {E.CONTEXT_LENGTH: Tier.CONTEXT_WINDOW, E.CONTENT_FILTER: Tier.CONTENT_POLICY}
FINAL = [E.BAD_REQUEST, E.BUDGET, E.CANCELLED, E.EXPIRED, E.POISON]


def failed(error_class: ErrorClass, *, retry_after_ms: int | None = None, unknown: bool = False) -> Failure:
    return Failure(error_class, "refused", retry_after_ms=retry_after_ms, outcome_unknown=unknown)


def decided(failure: Failure, facts: JobFacts, policy: RetryPolicy = POLICY, *, jitter: float = 0.5) -> Decision:
    return decide(failure, facts, policy, now_ms=NOW, jitter=jitter)


def test_the_table_has_a_rule_for_every_class() -> None:
    assert set(RULES) == set(ErrorClass)
    assert {*TRANSIENT, *NOT_THERE, *FINAL, *MENDED_BY, E.RATE_LIMIT, E.INVALID_RESPONSE, E.INTERNAL} == set(ErrorClass)


@pytest.mark.parametrize("error_class", [*TRANSIENT, E.INTERNAL, E.RATE_LIMIT, E.INVALID_RESPONSE])
def test_a_passing_failure_is_retried_here_after_half_of_the_first_backoff(error_class: ErrorClass) -> None:
    assert decided(failed(error_class), FIRST) == Retry(NOW + 250)


@pytest.mark.parametrize("error_class", TRANSIENT)
def test_after_three_tries_here_the_next_deployment_is_tried(error_class: ErrorClass) -> None:
    assert isinstance(decided(failed(error_class), replace(WITH_FALLBACK, tries=1, provider_tries=1)), Retry)
    assert decided(failed(error_class), replace(WITH_FALLBACK, tries=2, provider_tries=2)) == ONWARD


@pytest.mark.parametrize("error_class", TRANSIENT)
def test_with_nowhere_to_go_a_deployment_is_tried_until_the_tries_are_used_up(error_class: ErrorClass) -> None:
    fourth = replace(FIRST, route_index=1, tries=3, provider_tries=3, tried=0b1)
    assert isinstance(decided(failed(error_class), fourth), Retry)
    assert decided(failed(error_class), replace(fourth, tries=4)) == GiveUp(error_class)


@pytest.mark.parametrize("error_class", [*NOT_THERE, *MENDED_BY])
def test_a_refusal_that_only_another_deployment_mends_moves_on_at_once(error_class: ErrorClass) -> None:
    assert decided(failed(error_class), WITH_FALLBACK) == ONWARD
    assert decided(failed(error_class), FIRST) == GiveUp(error_class)
    assert decided(failed(error_class, retry_after_ms=1_000), FIRST) == GiveUp(error_class)


@pytest.mark.parametrize("error_class", FINAL)
def test_a_failure_that_no_provider_could_mend_is_final(error_class: ErrorClass) -> None:
    assert decided(failed(error_class), WITH_FALLBACK) == GiveUp(error_class)


def test_an_error_of_ours_is_retried_but_never_blamed_on_the_deployment() -> None:
    assert isinstance(decided(failed(E.INTERNAL), replace(WITH_FALLBACK, tries=3, provider_tries=3)), Retry)
    assert decided(failed(E.INTERNAL), replace(WITH_FALLBACK, tries=4, provider_tries=4)) == GiveUp(E.INTERNAL)


@pytest.mark.parametrize("error_class", [E.RATE_LIMIT, E.OVERLOADED, E.SERVER_ERROR])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_retry_after_is_the_earliest_time_of_the_next_try(error_class: ErrorClass, jitter: float) -> None:
    decision = decided(failed(error_class, retry_after_ms=90_000), FIRST, jitter=jitter)
    assert isinstance(decision, Retry)
    assert NOW + 90_000 <= decision.not_before_ms < NOW + 90_500


@pytest.mark.parametrize("error_class", [E.RATE_LIMIT, E.OVERLOADED])
def test_a_long_retry_after_is_not_waited_out_while_another_deployment_is_left(error_class: ErrorClass) -> None:
    assert isinstance(decided(failed(error_class, retry_after_ms=5_000), WITH_FALLBACK), Retry)
    assert decided(failed(error_class, retry_after_ms=5_001), WITH_FALLBACK) == ONWARD


def test_rate_limits_use_up_no_tries_but_the_attempts_are_capped() -> None:
    worn = replace(FIRST, tries=4, provider_tries=3, attempt=4_999)
    assert isinstance(decided(failed(E.RATE_LIMIT), worn), Retry)
    assert counted(failed(E.RATE_LIMIT), worn).tries == 4
    assert decided(failed(E.RATE_LIMIT), replace(worn, attempt=5_000)) == GiveUp(E.RATE_LIMIT)


def test_a_job_that_is_refused_again_and_again_while_others_are_served_ends() -> None:
    ninth = replace(FIRST, provider_tries=8)
    assert isinstance(decided(failed(E.RATE_LIMIT), ninth), Retry)
    assert decided(failed(E.RATE_LIMIT), replace(ninth, provider_tries=9)) == GiveUp(E.RATE_LIMIT)
    assert decided(failed(E.RATE_LIMIT), replace(ninth, provider_tries=9, onward=1)) == ONWARD
    assert decided(failed(E.RATE_LIMIT), replace(ninth, provider_tries=9, onward=1, tried=0b10)) == GiveUp(E.RATE_LIMIT)


def test_a_probe_that_is_refused_is_not_held_against_its_job() -> None:
    tenth = replace(FIRST, provider_tries=9)
    decision = decide(failed(E.RATE_LIMIT), tenth, POLICY, now_ms=NOW, jitter=0.0, counts=False)
    assert decision == Retry(NOW)
    assert after(failed(E.RATE_LIMIT), tenth, decision, counts=False) == tenth


def test_a_stubborn_rate_limit_without_a_date_moves_on_once_the_backoff_is_long() -> None:
    assert isinstance(decided(failed(E.RATE_LIMIT), replace(WITH_FALLBACK, provider_tries=3)), Retry)
    assert decided(failed(E.RATE_LIMIT), replace(WITH_FALLBACK, provider_tries=4)) == ONWARD


@pytest.mark.parametrize(
    ("earlier", "ceiling_ms"), [(0, 500), (1, 1_000), (2, 2_000), (6, 32_000), (7, 60_000), (98, 60_000)]
)
def test_the_backoff_doubles_up_to_a_minute_with_full_jitter(earlier: int, ceiling_ms: int) -> None:
    facts = replace(FIRST, provider_tries=earlier)
    policy = RetryPolicy(max_identical=100)
    assert decided(failed(E.RATE_LIMIT), facts, policy, jitter=0.0) == Retry(NOW)
    assert decided(failed(E.RATE_LIMIT), facts, policy, jitter=0.5) == Retry(NOW + ceiling_ms // 2)


@pytest.mark.parametrize("failure", [failed(E.TIMEOUT, unknown=True), failed(E.INVALID_RESPONSE)])
def test_a_second_call_that_may_have_been_billed_ends_the_job(failure: Failure) -> None:
    assert isinstance(decided(failure, FIRST), Retry)
    assert decided(failure, replace(FIRST, unknowns=1, tries=1, provider_tries=1)) == GiveUp(failure.error_class)


@pytest.mark.parametrize("failure", [failed(E.TIMEOUT, unknown=True), failed(E.INVALID_RESPONSE)])
def test_the_last_call_that_may_be_billed_is_spent_at_another_deployment(failure: Failure) -> None:
    assert decided(failure, WITH_FALLBACK) == ONWARD


def test_an_invalid_response_is_retried_once_and_then_moves_on_where_more_unknowns_are_allowed() -> None:
    policy = RetryPolicy(max_unknowns=9)
    assert isinstance(decided(failed(E.INVALID_RESPONSE), WITH_FALLBACK, policy), Retry)
    assert decided(failed(E.INVALID_RESPONSE), replace(WITH_FALLBACK, provider_tries=1, unknowns=1), policy) == ONWARD


def test_only_a_failure_that_says_so_counts_as_a_call_of_unknown_outcome() -> None:
    assert isinstance(decided(failed(E.TIMEOUT), replace(FIRST, unknowns=1)), Retry)
    assert counted(failed(E.TIMEOUT), FIRST).unknowns == 0
    assert counted(failed(E.NETWORK, unknown=True), FIRST).unknowns == 1


def test_past_the_deadline_the_job_fails_with_the_failures_own_class() -> None:
    assert decided(failed(E.OVERLOADED), replace(WITH_FALLBACK, deadline_at_ms=NOW)) == GiveUp(E.OVERLOADED)


def test_a_wait_beyond_the_deadline_moves_on_or_expires() -> None:
    failure = failed(E.RATE_LIMIT, retry_after_ms=4_000)
    assert decided(failure, replace(WITH_FALLBACK, deadline_at_ms=NOW + 4_000)) == ONWARD
    assert decided(failure, replace(FIRST, deadline_at_ms=NOW + 4_000)) == GiveUp(E.EXPIRED)
    assert decided(failure, replace(FIRST, deadline_at_ms=NOW + 4_001), jitter=0.0) == Retry(NOW + 4_000)


def test_failing_over_starts_the_count_at_the_new_deployment_and_keeps_the_rest() -> None:
    facts = replace(WITH_FALLBACK, attempt=3, tries=2, provider_tries=2)
    moved = after(failed(E.OVERLOADED), facts, ONWARD)
    assert moved == replace(facts, tries=3, provider_tries=0, route_index=1, tried=0b1, onward=None)
    stayed = after(failed(E.OVERLOADED), facts, Retry(NOW))
    assert stayed == replace(facts, tries=3, provider_tries=3, onward=None)


def test_a_deployment_that_failed_the_job_before_is_called_after_the_backoff_and_the_count_goes_on() -> None:
    facts = replace(FIRST, route_index=2, tried=0b11, onward=0, provider_tries=4)
    decision = decided(failed(E.RATE_LIMIT), facts)
    assert decision == Failover(0, NOW + 4_000)
    moved = after(failed(E.RATE_LIMIT), facts, decision)
    assert moved == replace(facts, route_index=0, tried=0b111, onward=None, provider_tries=5)
    late = replace(facts, deadline_at_ms=NOW + 4_000)
    assert decided(failed(E.RATE_LIMIT), late) == GiveUp(E.EXPIRED)


def test_an_error_of_ours_is_never_a_reason_to_leave() -> None:
    worn = replace(WITH_FALLBACK, provider_tries=9, tries=2)
    assert decided(failed(E.INTERNAL), worn) == GiveUp(E.INTERNAL)


policies = st.builds(
    RetryPolicy,
    max_tries=st.integers(1, 8),
    tries_per_provider=st.integers(1, 5),
    max_unknowns=st.integers(1, 4),
    base_delay_ms=st.integers(1, 2_000),
    max_delay_ms=st.integers(1, 120_000),
    max_attempts=st.integers(1, 60),
    max_identical=st.integers(1, 15),
)
failures = st.builds(
    Failure,
    st.sampled_from(ErrorClass),
    st.just("refused"),
    retry_after_ms=st.none() | st.integers(0, 600_000),
    outcome_unknown=st.booleans(),
)


def test_a_deployment_that_never_has_room_is_left_however_short_its_waits_are() -> None:
    hurried = replace(POLICY, max_delay_ms=100)
    facts = replace(WITH_FALLBACK, provider_tries=hurried.max_identical - 2)
    assert isinstance(decided(failed(E.RATE_LIMIT, retry_after_ms=0), facts, hurried), Retry)
    last = replace(facts, provider_tries=hurried.max_identical - 1)
    assert decided(failed(E.RATE_LIMIT, retry_after_ms=0), last, hurried) == ONWARD


def test_a_request_that_a_deployment_cannot_be_told_moves_on_at_once_and_ends_at_the_last_one() -> None:
    failure = replace(failed(E.BAD_REQUEST), inexpressible=True)
    assert decided(failed(E.BAD_REQUEST), WITH_FALLBACK) == GiveUp(E.BAD_REQUEST)
    assert decided(failure, WITH_FALLBACK) == Failover(1, NOW)
    assert decided(failure, replace(FIRST, route_index=1)) == GiveUp(E.BAD_REQUEST)


jitters = st.floats(0, 1, exclude_max=True)
any_facts = st.builds(
    JobFacts,
    attempt=st.integers(1, 200),
    tries=st.integers(0, 10),
    provider_tries=st.integers(0, 20),
    unknowns=st.integers(0, 5),
    route_index=st.just(2),
    deadline_at_ms=st.integers(NOW - 10_000, NOW + 1_000_000),
    tried=st.integers(0, 15),
    onward=st.none() | st.sampled_from([0, 1, 3]),
)


def check_bounds(decision: Decision, failure: Failure, facts: JobFacts, now_ms: int) -> None:
    match decision:
        case Retry(not_before_ms):
            assert now_ms + (failure.retry_after_ms or 0) <= not_before_ms < facts.deadline_at_ms
            assert RULES[failure.error_class].here is not Here.NEVER
        case Failover(route_index, not_before_ms):
            assert now_ms <= not_before_ms < facts.deadline_at_ms
            assert route_index == facts.onward
            assert RULES[failure.error_class].failover
        case GiveUp(error_class):
            assert error_class in (failure.error_class, E.EXPIRED)


@given(failures, any_facts, policies, jitters, st.booleans())
def test_a_decision_is_always_made_and_stays_within_the_deadline_and_the_route(
    failure: Failure, facts: JobFacts, policy: RetryPolicy, jitter: float, counts: bool
) -> None:
    decision = decide(failure, facts, policy, now_ms=NOW, jitter=jitter, counts=counts)
    check_bounds(decision, failure, facts, NOW)


@given(st.lists(st.tuples(failures, jitters), min_size=60, max_size=60), policies, st.integers(1, 5))
def test_any_run_of_failures_ends_within_every_bound(
    run: list[tuple[Failure, float]], policy: RetryPolicy, length: int
) -> None:
    facts = replace(FIRST, deadline_at_ms=NOW + 10**12)
    now_ms = NOW
    for failure, jitter in run:
        facts = replace(facts, onward=next_place(facts, length))
        decision = decide(failure, facts, policy, now_ms=now_ms, jitter=jitter)
        check_bounds(decision, failure, facts, now_ms)
        total = after(failure, facts, decision)
        if isinstance(decision, GiveUp):
            assert total.tries <= policy.max_tries
            assert total.unknowns <= policy.max_unknowns
            assert total.provider_tries <= policy.max_identical
            return
        now_ms = decision.not_before_ms
        facts = replace(total, attempt=total.attempt + 1)
        assert facts.attempt <= policy.max_attempts
    pytest.fail("the job was still tried after more failures than it may have attempts")


@pytest.mark.parametrize("length", [1, 2, 3, 5])
@pytest.mark.parametrize("error_class", E)
def test_a_request_that_every_deployment_refuses_ends_after_a_known_number_of_calls(
    error_class: ErrorClass, length: int
) -> None:
    facts, now_ms = replace(FIRST, deadline_at_ms=NOW + 10**12), NOW
    for calls in range(1, POLICY.max_identical * (length + 1)):
        facts = replace(facts, attempt=calls, onward=next_place(facts, length))
        decision = decide(failed(error_class), facts, POLICY, now_ms=now_ms, jitter=0.9)
        if isinstance(decision, GiveUp):
            assert decision.error_class is error_class
            return
        facts, now_ms = after(failed(error_class), facts, decision), decision.not_before_ms
    pytest.fail("it was still tried")


def next_place(facts: JobFacts, length: int) -> int | None:
    """The first other place that is new to the job, else the first other one."""
    others = [place for place in range(length) if place != facts.route_index]
    return next((place for place in others if not facts.tried >> place & 1), others[0] if others else None)


def test_the_page_on_errors_agrees_with_the_table() -> None:
    rows = [line.split("|")[1:-1] for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    page = {cells[0].strip().strip("`"): [cell.strip() for cell in cells[2:]] for cells in rows}
    here = {Here.NEVER: "no", Here.ONCE_MORE: "once", Here.UP_TO_LIMIT: "up to the limit", Here.WAIT: "waits"}
    label = {Label.RETRYABLE: "retryable", Label.YOUR_FIX: "your fix", Label.PROVIDER: "provider"}
    assert page == {
        error_class.value: [
            here[rule.here],
            f"`{rule.only}_fallbacks`" if rule.only else "yes" if rule.failover else "no",
            "yes" if rule.uses_try else "no",
            "yes" if rule.possibly_billed else "when it was sent",
            label[rule.label],
        ]
        for error_class, rule in RULES.items()
    }
