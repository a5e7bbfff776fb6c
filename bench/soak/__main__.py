"""The soak's command line: `python -P -m bench.soak`. What a process holds after half an hour, it held at the start."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import openai

from bench.database import DatabaseKind
from bench.soak.report import show
from bench.soak.run import SoakPlan, run_soak
from bench.stopping import stop_at_sigterm
from providers.simulator.process import SimulatorProcess


def main(arguments: list[str] | None = None) -> int:
    """Run a soak, print its table, and return the exit code."""
    options = _parser().parse_args(arguments)
    plan = SoakPlan(options.minutes, DatabaseKind(options.database), options.load, options.window_s)
    try:
        with SimulatorProcess.start(["--latency-ms", str(plan.latency_ms)]) as simulator:
            result = run_soak(simulator, plan)
    except (RuntimeError, OSError, openai.OpenAIError) as error:
        print("\n".join([f"soak: {error}", *getattr(error, "__notes__", ())]), file=sys.stderr)
        return 1
    show(plan, result)
    if options.json is not None:
        options.json.write_text(json.dumps({"plan": asdict(plan), **asdict(result)}, indent=2))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bench.soak", description="Hold a steady load, and look whether anything grows.")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (30)")
    parser.add_argument("--database", choices=list(DatabaseKind), default=DatabaseKind.SQLITE)
    parser.add_argument("--load", type=float, default=0.8, help="share of the capacity found first (0.8)")
    parser.add_argument("--window-s", type=float, default=30.0, help="length of one sample in seconds (30)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to this file too")
    return parser


if __name__ == "__main__":
    stop_at_sigterm()
    sys.exit(main())
