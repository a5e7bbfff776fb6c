"""Suspects: how many jobs that may bring down a process run together in it."""

from dataclasses import dataclass, field

from store.claim import ClaimedJob
from tests.unit.lane_scene import line, number_of
from workers.suspects import Suspects


@dataclass
class Dock:
    """Suspects, and who was admitted."""

    admitted: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.suspects = Suspects(lambda job: self.admitted.append(number_of(job)))

    def add(self, numbers: range, crashes: int) -> list[ClaimedJob]:
        jobs = [line(number)._replace(crashes=crashes) for number in numbers]
        for job in jobs:
            self.suspects.add(job)
        return jobs

    def end(self, job: ClaimedJob) -> None:
        self.suspects.done(job.id, job.n)


def test_the_more_often_suspects_crashed_the_fewer_run_together() -> None:
    for crashes, together in ((2, 16), (3, 4), (4, 1)):
        dock = Dock()
        jobs = dock.add(range(20), crashes)
        assert dock.admitted == list(range(together))
        dock.end(jobs[0])
        assert dock.admitted == list(range(together + 1))
        assert len(dock.suspects.waiting()) == 20 - together - 1


def test_those_with_fewest_crashes_go_first_and_the_last_one_runs_alone() -> None:
    dock = Dock()
    running = dock.add(range(1), 2)
    alone = dock.add(range(10, 11), 4)
    running += dock.add(range(1, 3), 2)
    assert dock.admitted == [0, 1, 2]
    for job in running:
        dock.end(job)
    assert dock.admitted == [0, 1, 2, 10]
    dock.add(range(3, 5), 2)
    assert dock.admitted == [0, 1, 2, 10]
    dock.end(alone[0])
    assert dock.admitted == [0, 1, 2, 10, 3, 4]


def test_only_an_admitted_attempts_end_makes_room() -> None:
    dock = Dock()
    first, second = dock.add(range(2), 4)
    dock.suspects.done(first.id, first.n + 1)
    dock.suspects.done(second.id, second.n)
    assert dock.admitted == [0]
    assert dock.suspects.discard(lambda job: job.id == second.id) == [second]
    dock.end(first)
    assert dock.admitted == [0]
    assert dock.suspects.waiting() == []
