"""A lane asks for permits where something is limited, and nothing that waits for them keeps others waiting."""

from providers.failure import ErrorClass
from tests.unit.lane_scene import Door, Scene, job, line, number_of, single, turns, until
from workers.impatience import Snoozed


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


async def test_jobs_that_wait_for_permits_leave_room_for_others_up_to_a_limit() -> None:
    scene = Scene(8, Door(grants_then=0))
    scene.add(*(line(number, "limited") for number in range(100)))
    assert not scene.lane.has_room("sim.batch")
    await turns()
    assert scene.lane.has_room("sim.batch")
    scene.add(*(line(number, "limited") for number in range(100, 600)))
    assert not scene.lane.has_room("sim.batch")


async def test_slots_that_are_asked_for_are_not_free() -> None:
    scene = Scene(4)
    scene.door.answers.clear()
    scene.add(line(1, "limited"), line(2, "limited"))
    await turns()
    assert scene.lane.free(scene.door.gate("free")) == 2


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


async def test_closing_while_permits_are_asked_for_starts_nothing_afterwards() -> None:
    scene = Scene(4)
    scene.door.answers.clear()
    scene.add(line(1, "limited"))
    await turns()
    assert [number_of(each) for each in scene.lane.close()] == [1]
    scene.door.answers.set()
    await turns()
    assert scene.started == []
