"""A lane bounds one provider's calls, asks for permits where something is limited, and says when there is room."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from providers.catalogue import load_catalogue
from providers.failure import ErrorClass
from router.config import parse_config
from router.routes import Deployment, build_routes
from store.claim import ClaimedJob
from store.limits import Grant
from workers.gate import Gate
from workers.impatience import Leaving, Snoozed
from workers.lane import Lane


def deployment(model: str) -> Deployment:
    config = parse_config({"providers": {"sim": {"type": "simulator", "base_url": "http://127.0.0.1:1/v1"}}}, {})
    route = build_routes(config, load_catalogue(), {}).resolve(f"sim/{model}")
    assert route is not None
    return route.deployments[0]


def job(number: int, queue: str = "sim.batch", *, model: str = "free", priority: int = 0, size: int = 0) -> ClaimedJob:
    return ClaimedJob(
        number.to_bytes(16, "big"), 1, b"k" * 16, None, "/v1/chat/completions", model, 0, queue, 10, 0, 0, 0, 0,
        priority=priority, body=bytes(size),
    )  # fmt: skip


def line(number: int, model: str = "free") -> ClaimedJob:
    return job(number, model=model)


def single(number: int, model: str = "free", priority: int = 0) -> ClaimedJob:
    return job(number, "sim", model=model, priority=priority)


def number_of(each: ClaimedJob) -> int:
    return int.from_bytes(each.id, "big")


@dataclass
class Door:
    """A doorman that grants from a list, then always the same; models named `limited...` are not free."""

    grants: list[int] = field(default_factory=list)
    """How many of the jobs asked for are granted, ask by ask."""
    grants_then: int = 1_000
    wait_ms: int = 60_000
    asked: list[tuple[str, list[int]]] = field(default_factory=list)
    allowed: dict[str, int] = field(default_factory=dict)
    """How many lines may run of a model; many, where it is not named."""
    leaves: dict[int, Leaving] = field(default_factory=dict)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: asks stay under way."""
    gates: dict[str, Gate] = field(default_factory=dict)
    running: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.answers.set()

    def gate(self, model: str) -> Gate:
        if model not in self.gates:
            self.gates[model] = Gate(deployment(model))
            self.gates[model].is_free = not model.startswith("limited")
        return self.gates[model]

    def gate_of(self, job: ClaimedJob) -> Gate:
        return self.gate(job.route)

    def allowance(self, gate: Gate) -> int:
        model = gate.deployment.model
        return self.allowed.get(model, 1_000) - self.running[model]

    async def ask(self, gate: Gate, jobs: Sequence[ClaimedJob], *, lines: bool) -> Grant:
        self.asked.append((gate.deployment.model, [number_of(each) for each in jobs]))
        await self.answers.wait()
        granted = min(self.grants.pop(0) if self.grants else self.grants_then, len(jobs))
        return Grant(granted, 0 if granted == len(jobs) else self.wait_ms, None, is_probe=False)

    def leaving(self, gate: Gate, grant: Grant) -> Mapping[tuple[bytes, int], Leaving]:
        return {(each.id, each.n): self.leaves[number_of(each)] for each in gate if number_of(each) in self.leaves}


class Scene:
    """A lane, its doorman, and what came of its jobs."""

    def __init__(self, slots: int, door: Door | None = None) -> None:
        self.door = door or Door()
        self.started: list[int] = []
        self.left: list[tuple[int, Leaving]] = []
        self.most_at_once = 0
        self._jobs: dict[int, ClaimedJob] = {}
        self.lane = Lane(slots, self._start, lambda job, why: self.left.append((number_of(job), why)), self.door)

    def add(self, *jobs: ClaimedJob) -> None:
        self._jobs |= {number_of(each): each for each in jobs}
        self.lane.add(list(jobs))

    def done(self, *numbers: int) -> None:
        for number in numbers:
            self.door.running[self._jobs[number].route] -= 1
            self.lane.done(self._jobs[number])

    def _start(self, job: ClaimedJob, gate: Gate) -> None:
        assert gate is self.door.gate_of(job)
        self.started.append(number_of(job))
        self.door.running[job.route] += 1
        self.most_at_once = max(self.most_at_once, self.lane.in_flight)


async def turns() -> None:
    """Let every task run that can run without time passing."""
    for _ in range(50):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what time brings."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_no_more_calls_start_than_there_are_slots() -> None:
    scene = Scene(2)
    scene.add(*map(line, range(5)))
    assert scene.started == [0, 1]
    scene.done(0)
    assert scene.started == [0, 1, 2]
    assert scene.lane.waiting == 2


async def test_single_jobs_start_before_lines_that_came_earlier() -> None:
    scene = Scene(1)
    scene.add(line(1), line(2))
    scene.add(single(3))
    scene.done(1)
    scene.done(3)
    assert scene.started == [1, 3, 2]


async def test_among_single_jobs_the_higher_priority_starts_first_and_then_the_earlier() -> None:
    scene = Scene(1)
    scene.add(line(0))
    scene.add(*(single(number, priority=priority) for number, priority in enumerate([0, 5, -5, 5, 0, 9], 1)))
    for number in (0, 6, 2, 4, 1, 5):
        scene.done(number)
    assert scene.started == [0, 6, 2, 4, 1, 5, 3]


async def test_the_gates_of_free_deployments_take_turns() -> None:
    scene = Scene(4)
    scene.add(*map(line, range(10)), *(line(number, "other") for number in range(10, 20)))
    assert sorted(scene.started) == [0, 1, 10, 11]


async def test_permits_are_asked_for_at_most_as_many_jobs_as_there_are_slots() -> None:
    scene = Scene(3)
    scene.add(*(line(number, "limited") for number in range(5)))
    await turns()
    assert scene.door.asked == [("limited", [0, 1, 2])]
    assert scene.started == [0, 1, 2]
    scene.done(1)
    await turns()
    assert scene.door.asked[1:] == [("limited", [3])]
    assert scene.most_at_once == 3


async def test_asks_under_way_at_two_gates_never_want_more_slots_than_there_are() -> None:
    scene = Scene(3)
    scene.door.answers.clear()
    scene.add(*(line(number, "limited-1") for number in range(2)))
    await turns()
    scene.add(*(line(number, "limited-2") for number in range(10, 14)))
    scene.add(*map(line, range(20, 24)))
    await turns()
    assert sum(len(jobs) for _, jobs in scene.door.asked) + len(scene.started) == 3
    scene.door.answers.set()
    await turns()
    assert scene.most_at_once == len(scene.started) == 3


async def test_jobs_that_were_refused_stay_in_their_order() -> None:
    scene = Scene(8, Door(grants=[2, 0], grants_then=1_000, wait_ms=1))
    scene.add(*(line(number, "limited") for number in range(6)))
    await until(lambda: len(scene.started) == 6)
    assert scene.started == list(range(6))
    assert [jobs for _, jobs in scene.door.asked] == [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5], [2, 3, 4, 5]]


async def test_single_jobs_are_asked_for_before_lines_at_the_same_gate() -> None:
    scene = Scene(8, Door(grants=[1], grants_then=0))
    scene.add(line(1, "limited"), line(2, "limited"), single(3, "limited"), single(4, "limited"))
    await turns()
    assert scene.door.asked[0] == ("limited", [3, 4])
    assert scene.started == [3]  # and no line while a single job waits


async def test_a_gate_that_rests_leaves_the_slots_to_others() -> None:
    scene = Scene(2, Door(grants_then=0))
    scene.add(*(line(number, "limited") for number in range(5)))
    await turns()
    assert scene.started == []
    scene.add(line(10), line(11))
    assert scene.started == [10, 11]


async def test_the_slots_of_a_refused_ask_go_to_those_that_waited_meanwhile() -> None:
    scene = Scene(2, Door(grants_then=0))
    scene.door.answers.clear()
    scene.add(single(1, "limited-1"), single(2, "limited-1"))
    await turns()
    scene.add(line(10), single(11))
    scene.add(single(20, "limited-2"))
    await turns()
    assert scene.started == []  # both slots are kept for the ask under way
    scene.door.answers.set()
    await turns()
    assert scene.started == [11, 10]
    scene.done(11)
    await turns()
    assert ("limited-2", [20]) in scene.door.asked


async def test_single_jobs_of_a_limited_gate_are_not_starved_by_the_lines_of_a_free_one() -> None:
    scene = Scene(1)
    scene.add(*map(line, range(50)))
    scene.add(single(90, "limited"))
    await turns()
    assert scene.started == [0]
    scene.done(0)
    await turns()
    assert scene.started == [0, 90]


async def test_lines_of_a_free_gate_that_came_together_with_a_limited_single_job_leave_it_a_slot() -> None:
    scene = Scene(4)
    scene.add(*map(line, range(50)), single(90, "limited"))
    await turns()
    assert sorted(scene.started) == [0, 1, 2, 90]


async def test_a_slot_that_comes_free_while_an_ask_is_under_way_is_used_afterwards() -> None:
    scene = Scene(2)
    scene.add(line(0))
    scene.door.answers.clear()
    scene.add(*(line(number, "limited") for number in range(1, 4)))
    await turns()
    scene.done(0)
    scene.door.answers.set()
    await turns()
    assert scene.started == [0, 1, 2]
    assert [jobs for _, jobs in scene.door.asked] == [[1], [2]]


async def test_a_single_job_that_comes_while_a_gate_rests_is_asked_for_at_once() -> None:
    scene = Scene(4, Door(grants=[0]))
    scene.add(line(1, "limited"))
    await turns()
    scene.add(single(2, "limited"))
    await turns()
    assert scene.door.asked[1] == ("limited", [2])
    assert scene.started[0] == 2


async def test_a_single_job_that_comes_while_lines_are_being_refused_is_asked_for_at_once() -> None:
    scene = Scene(4, Door(grants=[0]))
    scene.door.answers.clear()
    scene.add(line(1, "limited"))
    await turns()
    scene.add(single(2, "limited"))
    await turns()
    scene.door.answers.set()
    await turns()
    assert scene.door.asked[1] == ("limited", [2])
    assert scene.started[0] == 2


async def test_a_gate_that_is_free_again_while_it_rests_starts_its_jobs() -> None:
    scene = Scene(4, Door(grants_then=0))
    scene.add(*(line(number, "limited") for number in range(3)))
    await turns()
    gate = scene.door.gate("limited")
    gate.is_free = True
    gate.hurry()
    scene.lane.pump()
    assert scene.started == [0, 1, 2]
    await turns()
    assert list(scene.lane.gates()) == []


async def test_a_gate_that_hurries_asks_again_and_one_that_closes_meanwhile_is_asked_for() -> None:
    scene = Scene(1, Door(grants=[0]))
    scene.add(single(1, "limited"))
    await turns()
    scene.door.gate("limited").hurry()
    await turns()
    assert scene.started == [1]
    scene.add(line(2), line(3))
    scene.door.gate("free").is_free = False
    scene.done(1)
    await turns()
    assert scene.door.asked[-1] == ("free", [2])
    assert scene.started == [1, 2]


async def test_lines_keep_to_the_allowance_of_their_deployment_and_single_jobs_need_none() -> None:
    scene = Scene(8, Door(allowed={"free": 2, "limited": 1}))
    scene.add(*map(line, range(5)), *(line(number, "limited") for number in range(10, 15)))
    await turns()
    assert sorted(scene.started) == [0, 1, 10]
    scene.add(single(20), single(21, "limited"))
    await turns()
    assert sorted(scene.started) == [0, 1, 10, 20, 21]
    scene.done(0, 20, 1)
    await turns()
    assert sorted(scene.started) == [0, 1, 2, 3, 10, 20, 21]
    scene.done(10, 21)
    await turns()
    assert scene.started[-1] == 11


async def test_lines_that_an_allowance_held_back_start_when_it_grows_by_itself() -> None:
    scene = Scene(8, Door(allowed={"free": 0, "limited": 0}))
    scene.add(line(1), line(2, "limited"))
    await turns()
    assert scene.started == []
    scene.door.allowed.clear()
    await until(lambda: len(scene.started) == 2)


async def test_jobs_that_leave_are_taken_out_and_free_their_bytes() -> None:
    why = Snoozed(1_000, ErrorClass.RATE_LIMIT)
    scene = Scene(8, Door(grants_then=0, leaves={2: why, 3: why}))
    bodies = [job(number, "sim", model="limited", size=22 << 20) for number in range(1, 4)]
    scene.add(*bodies)
    assert not scene.lane.has_room("sim")
    await turns()
    assert scene.left == [(2, why), (3, why)]
    assert [number_of(each) for each in scene.lane.jobs()] == [1]
    assert scene.lane.has_room("sim")


async def test_there_is_room_until_enough_wait_and_again_when_they_started() -> None:
    scene = Scene(8)
    assert scene.lane.wait_for_room("sim.batch", 0)
    scene.add(*map(line, range(10)))
    assert not scene.lane.has_room("sim.batch")
    assert not scene.lane.wait_for_room("sim.batch", 0)
    scene.done(0)
    assert scene.lane.wait_for_room("sim.batch", 0)


async def test_waiting_lines_leave_room_for_single_jobs() -> None:
    scene = Scene(4)
    scene.add(*map(line, range(64)))
    assert not scene.lane.has_room("sim.batch")
    assert scene.lane.has_room("sim")


async def test_jobs_that_wait_for_permits_leave_room_for_others_up_to_a_limit() -> None:
    scene = Scene(8, Door(grants_then=0))
    scene.add(*(line(number, "limited") for number in range(100)))
    assert not scene.lane.has_room("sim.batch")
    await turns()
    assert scene.lane.has_room("sim.batch")
    scene.add(*(line(number, "limited") for number in range(100, 600)))
    assert not scene.lane.has_room("sim.batch")


async def test_large_bodies_leave_no_room_until_they_are_done() -> None:
    scene = Scene(64)
    scene.add(job(1, size=65 << 20))
    assert not scene.lane.has_room("sim")
    scene.done(1)
    assert scene.lane.has_room("sim")


async def test_slots_are_free_while_nobody_waits_at_a_gate_and_it_does_not_rest() -> None:
    scene = Scene(4, Door(grants_then=0))
    free, limited = scene.door.gate("free"), scene.door.gate("limited")
    assert scene.lane.free(free) == 4
    scene.add(single(1))
    assert scene.lane.free(free) == 3
    scene.add(line(2, "limited"))
    await turns()
    assert (scene.lane.free(limited), scene.lane.free(free)) == (0, 3)
    scene.lane.discard(lambda _: True)
    assert scene.lane.free(limited) == 0  # it rests
    scene.lane.close()
    assert scene.lane.free(free) == 0


async def test_slots_that_are_asked_for_are_not_free() -> None:
    scene = Scene(4)
    scene.door.answers.clear()
    scene.add(line(1, "limited"), line(2, "limited"))
    await turns()
    assert scene.lane.free(scene.door.gate("free")) == 2


async def test_unwanted_jobs_are_taken_out_and_the_others_stay_in_order() -> None:
    scene = Scene(1)
    scene.add(*map(line, range(4)))
    assert [each.id[-1] for each in scene.lane.discard(lambda each: each.id[-1] % 2 == 1)] == [1, 3]
    scene.done(0)
    assert scene.started == [0, 2]


async def test_jobs_that_are_taken_out_while_their_permits_are_asked_for_do_not_start() -> None:
    scene = Scene(4)
    scene.door.answers.clear()
    scene.add(line(1, "limited"), line(2, "limited"))
    await turns()
    assert [number_of(each) for each in scene.lane.discard(lambda _: True)] == [1, 2]
    scene.door.answers.set()
    await turns()
    assert (scene.started, scene.lane.in_flight) == ([], 0)
    assert scene.lane.free(scene.door.gate("limited")) == 4


async def test_closing_gives_back_what_never_started() -> None:
    scene = Scene(1)
    scene.add(line(1))
    scene.add(line(2), single(3), line(5, "limited"))
    assert {number_of(each) for each in scene.lane.close()} == {2, 3, 5}
    scene.done(1)
    scene.add(line(4), line(6, "limited"))
    await turns()
    assert (scene.started, scene.door.asked) == ([1], [])
    assert {number_of(each) for each in scene.lane.close()} == {4, 6}
    assert not scene.lane.has_room("sim.batch")


async def test_closing_while_permits_are_asked_for_starts_nothing_afterwards() -> None:
    scene = Scene(4)
    scene.door.answers.clear()
    scene.add(line(1, "limited"))
    await turns()
    assert [number_of(each) for each in scene.lane.close()] == [1]
    scene.door.answers.set()
    await turns()
    assert scene.started == []


async def test_another_attempt_of_the_same_job_is_told_apart() -> None:
    scene = Scene(1)
    scene.add(line(0))
    again = replace(line(1), n=2)
    scene.add(line(1), again)
    assert scene.lane.discard(lambda each: each.n == 2) == [again]
    scene.done(0)
    assert scene.started == [0, 1]
