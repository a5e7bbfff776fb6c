"""A gate keeps jobs in their order: single jobs by priority, then by arrival; lines by arrival."""

from hypothesis import given
from hypothesis import strategies as st

from store.claim import ClaimedJob
from tests.unit.lane_scene import deployment, job, line, number_of, single
from workers.gate import Gate


def numbers(jobs: list[ClaimedJob]) -> list[int]:
    return [number_of(each) for each in jobs]


@given(st.lists(st.tuples(st.booleans(), st.integers(-2, 2)), max_size=30))
def test_single_jobs_stand_by_priority_and_then_by_arrival_and_lines_by_arrival(
    arrivals: list[tuple[bool, int]],
) -> None:
    gate = Gate(deployment("free"))
    jobs = [
        job(n, "sim.batch" if is_line else "sim", priority=priority) for n, (is_line, priority) in enumerate(arrivals)
    ]
    for each in jobs:
        gate.add(each)
    lines = [each for each in jobs if each.queue == "sim.batch"]
    singles = sorted((each for each in jobs if each.queue == "sim"), key=lambda each: -each.priority)
    assert list(gate) == [*singles, *lines]
    assert (gate.count(lines=False), gate.count(lines=True), len(gate)) == (len(singles), len(lines), len(jobs))
    assert gate.first(2, lines=False) == singles[:2]
    assert gate.first(-1, lines=True) == []
    assert [gate.take(lines=False) for _ in singles] + [gate.take(lines=True) for _ in lines] == [*singles, *lines]


@given(st.lists(st.booleans(), max_size=20), st.sets(st.integers(0, 19)))
def test_jobs_are_taken_out_wherever_they_stand(arrivals: list[bool], chosen: set[int]) -> None:
    gate = Gate(deployment("free"))
    for n, is_line in enumerate(arrivals):
        gate.add(line(n) if is_line else single(n))
    before = numbers(list(gate))
    assert numbers(gate.take_out(lambda each: number_of(each) in chosen)) == [n for n in before if n in chosen]
    assert numbers(list(gate)) == [n for n in before if n not in chosen]


def test_a_gate_rests_until_its_time_or_until_it_is_told_to_hurry() -> None:
    gate = Gate(deployment("free"))
    assert not gate.rests(0.0)
    gate.rest(5.0)
    assert (gate.rests(4.9), gate.rests(5.0)) == (True, False)
    gate.hurry()
    assert not gate.rests(0.0)
    assert gate.wake.is_set()


def test_a_single_job_wakes_the_gate_and_a_line_does_not() -> None:
    gate = Gate(deployment("free"))
    gate.add(line(1))
    assert not gate.wake.is_set()
    gate.add(single(2))
    assert gate.wake.is_set()


def test_the_scopes_of_a_gate_are_its_deployments() -> None:
    gate = Gate(deployment("free"))
    assert (str(gate.provider), str(gate.scope)) == ("provider/sim", "deployment/sim/free")
