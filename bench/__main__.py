"""The command line: `python -P -m bench`."""

import argparse
import subprocess
import sys
from pathlib import Path

import openai

from bench.database import DatabaseKind
from bench.dialect_report import show_dialects, write_dialects_json
from bench.dialect_run import CALLS, run_dialects
from bench.idle_run import SECONDS as IDLE_SECONDS
from bench.idle_run import run_idle
from bench.laneway_run import LanewayResult, Plan, run_batch
from bench.limits.cases import QUICK_SECONDS, SECONDS, Result, chosen
from bench.limits.report import show_limits, write_limits_json
from bench.peers.loop_run import PEER_CALLS, PeerResult, run_peer
from bench.report import Report, show, write_json
from bench.rest_report import show_idle, show_starts, write_idle_json, write_starts_json
from bench.start_run import STARTS, run_starts
from bench.stopping import stop_at_sigterm
from bench.surface import Surface
from bench.sync_report import SyncReport, show_sync, write_sync_json
from bench.sync_run import SyncPlan, run_sync
from providers.simulator.process import SimulatorProcess


def main(arguments: list[str] | None = None) -> int:
    """Measure, print a table, and return the exit code."""
    parser = _parser()
    try:
        options = _options(parser.parse_args(arguments))
    except ValueError as error:
        parser.error(str(error))
    try:
        if options.limits:
            return _limits(options)
        if options.idle or options.start:
            return (_idle if options.idle else _start)(options)
        with SimulatorProcess.start(["--latency-ms", str(options.latency_ms)]) as simulator:
            (_dialects if options.dialects else _sync if options.sync else _batch)(simulator, options)
    except (RuntimeError, OSError, openai.OpenAIError, subprocess.CalledProcessError) as error:
        print("\n".join([f"bench: {error}", *getattr(error, "__notes__", ())]), file=sys.stderr)
        return 1
    return 0


def _batch(simulator: SimulatorProcess, options: argparse.Namespace) -> None:
    laneway = _laneway(simulator, options) if options.laneway else None
    peers = _peers(simulator.url, quick=options.quick) if options.peers else []
    report = Report(options.latency_ms, laneway, peers)
    show(report)
    if options.json is not None:
        write_json(report, options.json)


def _sync(simulator: SimulatorProcess, options: argparse.Namespace) -> None:
    profile_s = options.profile_s if options.profile else 0
    plan = SyncPlan(options.callers, options.requests, options.quick, profile_s, Surface[options.surface.upper()])
    report = SyncReport(options.latency_ms, run_sync(simulator, plan))
    show_sync(report)
    if options.json is not None:
        write_sync_json(report, options.json)


def _dialects(simulator: SimulatorProcess, options: argparse.Namespace) -> None:
    costs = run_dialects(simulator, CALLS // (10 if options.quick else 1))
    show_dialects(costs)
    if options.json is not None:
        write_dialects_json(costs, options.json)


def _limits(options: argparse.Namespace) -> int:
    """Run the cases one after the other; one that fails is told and fails the run, after the others."""
    results, failed = list[Result](), False
    for case in options.case:
        print(f"{case.name} ...", file=sys.stderr, flush=True)
        try:
            results.append(case.run(options.seconds))
        except (RuntimeError, OSError, openai.OpenAIError) as error:
            failed = True
            print("\n".join([f"{case.name}: {error}", *getattr(error, "__notes__", ())]), file=sys.stderr)
    show_limits(results)
    if options.json is not None:
        write_limits_json(results, options.json)
    return int(failed)


def _idle(options: argparse.Namespace) -> int:
    kinds = [options.database] if options.database else list(DatabaseKind)
    results = [run_idle(kind, options.idle_seconds) for kind in kinds]
    show_idle(results)
    if options.json is not None:
        write_idle_json(results, options.json)
    return 0


def _start(options: argparse.Namespace) -> int:
    kind = options.database or DatabaseKind.SQLITE
    starts = run_starts(kind, options.starts)
    show_starts(kind, starts)
    if options.json is not None:
        write_starts_json(kind, starts, options.json)
    return 0


def _laneway(simulator: SimulatorProcess, options: argparse.Namespace) -> LanewayResult:
    profile_s = options.profile_s if options.profile else 0
    kind = options.database or DatabaseKind.SQLITE
    return run_batch(
        simulator, Plan(options.jobs, options.workers, options.max_parallel, profile_s, kind, tls=options.tls)
    )


def _peers(url: str, *, quick: bool) -> list[PeerResult]:
    return [run_peer(name, url, calls // (5 if quick else 1)) for name, calls in PEER_CALLS.items()]


def _options(options: argparse.Namespace) -> argparse.Namespace:
    """Fill in what was not given: the figures of the mode asked for."""
    jobs, latency_ms, max_parallel = (5_000, 2_000, 1_000) if options.in_flight else (20_000, 20, 1_024)
    if options.sync or options.dialects:
        latency_ms = 0
    if options.quick:
        jobs //= 10
    options.idle_seconds = options.seconds or IDLE_SECONDS
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    options.starts = options.starts or (STARTS // 5 if options.quick else STARTS)
    options.case = chosen(options.case or ())
    options.jobs = options.jobs or jobs
    options.latency_ms = latency_ms if options.latency_ms is None else options.latency_ms
    options.max_parallel = options.max_parallel or max_parallel
    options.peers = not options.in_flight if options.peers is None else options.peers
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bench", description="Measure Laneway and plain client loops on one simulator.")
    switch = argparse.BooleanOptionalAction
    parser.add_argument("--sync", action="store_true", help="what Laneway adds to sync calls and streams, no batch")
    parser.add_argument("--dialects", action="store_true", help="what each wire dialect costs, and nothing else")
    parser.add_argument("--limits", action="store_true", help="how much of limits is used and who waits, nothing else")
    parser.add_argument("--idle", action="store_true", help="what Laneway uses while there is nothing to do")
    parser.add_argument("--start", action="store_true", help="how long `laneway up` takes until it is ready")
    parser.add_argument("--starts", type=_count, help=f"with --start: how often, each time twice ({STARTS})")
    kinds = tuple(DatabaseKind)
    parser.add_argument(
        "--database",
        type=DatabaseKind,
        choices=kinds,
        help="not SQLite; with --idle only this one (both)",
    )
    parser.add_argument("--case", action="append", metavar="NAME", help="with --limits: only these; also as rpm-*-2w")
    parser.add_argument("--seconds", type=_count, help=f"how long: with --limits ({SECONDS}), --idle ({IDLE_SECONDS})")
    parser.add_argument("--callers", type=_counts, default=(1, 10, 64), help="with --sync: callers at once (1,10,64)")
    surfaces = [each.name.lower() for each in Surface]
    parser.add_argument("--surface", choices=surfaces, default="chat", help="with --sync: how Laneway is asked (chat)")
    parser.add_argument("--requests", type=_count, help="with --sync: requests to each side per number of callers")
    parser.add_argument("--jobs", type=int, help="lines of the batch (20,000)")
    parser.add_argument("--latency-ms", type=int, help="how long the simulated provider takes (20; 0 with --sync)")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of Laneway (1)")
    parser.add_argument("--max-parallel", type=int, help="calls in flight per worker process (1,024)")
    parser.add_argument("--tls", action="store_true", help="call the provider over TLS")
    parser.add_argument("--in-flight", action="store_true", help="1,000 calls of 2 s in flight, 5,000 jobs, no peers")
    parser.add_argument("--laneway", action=switch, default=True, help="measure Laneway")
    parser.add_argument("--peers", action=switch, default=None, help="measure the plain client loops")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the jobs or requests or so, a fifth of the peers' calls"
    )
    parser.add_argument("--profile", action="store_true", help="profile a worker (with --sync the API too) with py-spy")
    parser.add_argument("--profile-s", type=int, default=8, help="how long to profile, in seconds (8)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    return parser


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_count(each) for each in text.split(","))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


if __name__ == "__main__":
    stop_at_sigterm()
    sys.exit(main())
