"""The benchmark of limits: its arithmetic, its choice of cases, and one case against real processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.caller import Caller, Order
from bench.limits.budget import Budget, Unit
from bench.limits.cases import cases, chosen
from bench.limits.report import limits_json, show_limits
from bench.limits.saturation import Sample, Saturation
from bench.limits.storm import Stormed
from bench.limits.waiting import Waited
from bench.sync_run import Side
from providers.simulator.process import SimulatorProcess

TOKENS = Budget(Unit.TOKENS, 60_000, "bucket", told=False, counts_tokens="asked")
CALLS = Budget(Unit.REQUESTS, 600, "sliding", told=True)


def counted(accepted: int, tokens: int, refused: int, peak: int) -> dict[str, Any]:
    peaks = {"requests": peak, "tokens": 50 * peak}
    return {"accepted": accepted, "tokens": tokens, "refused": refused, "peak_60s": peaks}


def samples(*at_s: float) -> list[Sample]:
    """Provider a takes ten calls a second of 50 tokens and refuses one, b takes five; from the first moment on."""
    return [
        Sample(
            at,
            {
                "a": counted(int(10 * at), int(500 * at), int(at), 600),
                "b": counted(int(5 * at), int(250 * at), 0, 300),
            },
        )
        for at in at_s
    ]


def test_what_was_used_is_measured_from_the_first_accepted_call() -> None:
    found = Saturation("x", {"a": CALLS, "b": CALLS}, workers=1).result(samples(10, 40, 70), ran_dry=False)
    assert (found.measured_s, found.allowed, found.accepted, found.refused) == (60, 1_200, 900, 60)
    assert (found.utilisation, found.refused_share, found.peak_ratio) == (0.75, 60 / 960, 1.0)
    assert found.shares["b"].accepted == 300


def test_tokens_are_held_against_a_budget_of_tokens() -> None:
    found = Saturation("x", {"a": TOKENS}, workers=1).result(samples(0, 60), ran_dry=False)
    share = found.shares["a"]
    assert (share.allowed, share.accepted, share.calls, share.peak_ratio) == (60_000, 30_000, 600, 0.5)
    assert found.refused_share == 60 / 660


def test_after_learning_only_the_second_half_counts() -> None:
    case = Saturation("x", {"a": CALLS}, workers=1, configured=False)
    found = case.result(samples(0, 20, 45, 80), ran_dry=False)
    assert (found.measured_s, found.accepted) == (35, 350)


def test_a_batch_is_long_enough_for_all_providers() -> None:
    assert Saturation("x", {"a": CALLS, "b": CALLS}, workers=1).lines(120) >= 2 * 600 * 2
    assert Saturation("x", {"a": TOKENS}, workers=1).lines(60) >= 60_000 // 50


def test_a_provider_keeps_to_its_budget_and_laneway_is_told_or_not() -> None:
    known, unknown = CALLS.provider(configured=True), TOKENS.provider(configured=False)
    assert (known.settings, unknown.settings) == ({"rpm": 600}, {})
    with SimulatorProcess.start(known.flags) as one, SimulatorProcess.start(unknown.flags) as two:
        calls, tokens = one.change(), two.change()
    assert (calls["requests_per_minute"], calls["limit_window"], calls["limit_headers"]) == (600, "sliding", "vendor")
    assert (tokens["tokens_per_minute"], tokens["counts_tokens"]) == (60_000, "asked")
    assert (tokens["limit_headers"], tokens["retry_after"], tokens["burst_share"]) == ("none", False, 0.01)


def test_cases_are_chosen_by_name() -> None:
    names = [case.name for case in cases()]
    assert len(set(names)) == len(names)
    assert [case.name for case in chosen([])] == names
    assert [case.name for case in chosen(["storm", "rpm-sliding-told-*"])] == [
        "rpm-sliding-told-1w",
        "rpm-sliding-told-2w",
        "rpm-sliding-told-4w",
        "storm",
    ]
    with pytest.raises(ValueError, match="no case is named 'strom'"):
        chosen(["strom"])


def test_every_kind_of_result_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    used = Saturation("used", {"a": CALLS}, workers=1).result(samples(0, 60), ran_dry=True)
    waited = Waited("waited", 2, Side([1_000, 3_000], 1.0), Side([2_000, 9_000], 1.0), "nobody")
    stormed = Stormed("stormed", 100, 99, 30.0, 120, 4.5, 7.0)
    show_limits([used, waited, stormed])
    printed = capsys.readouterr().out
    for word in ("ran dry", "100.0%", "1.0 / 3.0 / 3.0", "1.0 / 6.0 / 6.0", "waited: nobody", "1.20"):
        assert word in printed
    figures = {each["case"]: each for each in limits_json([used, waited, stormed])["limits"]}
    assert figures["used"]["utilisation"] == used.utilisation
    assert (figures["waited"]["hindered_p99_ms"], figures["waited"]["added_p50_ms"]) == (9.0, 1.0)
    assert figures["stormed"]["calls_per_job"] == 1.2


def test_callers_keep_their_pace() -> None:
    with SimulatorProcess.start() as simulator, Caller() as caller:
        order = Order(simulator.url, "none", "sim-small", 2, 6, first=0, stream=False, pace_ms=200)
        outcome = caller.run(order)
    assert len(outcome.times_us) == 6
    assert outcome.wall_s >= 0.5


def test_a_case_runs_against_real_providers(tmp_path: Path) -> None:
    target = tmp_path / "limits.json"
    words = ["--limits", "--case", "learn-rpm-sliding-told-2w", "--seconds", "2", "--json", str(target)]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench", *words], capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "learn-rpm-sliding-told-2w" in done.stdout
    (case,) = json.loads(target.read_text())["limits"]
    assert set(case["shares"]) == {"a", "b"}
    assert case["shares"]["a"]["allowed"] == pytest.approx(1_200 * case["measured_s"] / 60)
    assert 0 < case["peak_ratio"] <= 1
