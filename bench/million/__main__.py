"""A million lines: `python -P -m bench.million`. Handed in, loaded, run, written, checked, and what all of it took."""

import argparse
import json
import sys
from pathlib import Path

import openai

from bench.database import DatabaseKind
from bench.million.plot import Point, draw
from bench.million.report import markdown, show, to_json
from bench.million.run import MOST_FILE_LINES, MillionPlan, run_million
from bench.report import machine
from bench.stopping import stop_at_sigterm
from providers.simulator.process import SimulatorProcess

_SIZES = (10_000, 100_000, 1_000_000)


def main(arguments: list[str] | None = None) -> int:
    """Run, print tables, and return the exit code."""
    options = _parser().parse_args(arguments)
    sizes = options.sizes if options.plot else [options.lines]
    results = []
    try:
        for lines in sizes:
            with SimulatorProcess.start(["--latency-ms", str(options.latency_ms)]) as simulator:
                results.append(run_million(simulator, _plan(options, lines)))
            show(results[-1])
    except (RuntimeError, OSError, openai.OpenAIError) as error:
        print("\n".join([f"million: {error}", *getattr(error, "__notes__", ())]), file=sys.stderr)
        return 1
    if options.plot is not None:
        points = [Point(each.plan.lines, each.cpu_us_per_line) for each in results]
        options.plot.write_text(draw(points, title=f"CPU of Laneway a job, {options.database}"))
        print(markdown(results))
    if options.json is not None:
        said = {"machine": machine(), "latency_ms": options.latency_ms, "runs": [to_json(each) for each in results]}
        options.json.write_text(json.dumps(said, indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("bench.million", description="Run very many lines through Laneway.")
    parser.add_argument("--lines", type=int, default=1_000_000, help="how many (1,000,000)")
    parser.add_argument("--batches", type=int, help=f"over so many batches (of {MOST_FILE_LINES:,} lines each)")
    parser.add_argument("--database", choices=list(DatabaseKind), default=DatabaseKind.SQLITE)
    parser.add_argument("--workers", type=int, default=1, help="worker processes (1)")
    parser.add_argument("--latency-ms", type=int, default=20, help="how long the simulated provider takes (20)")
    parser.add_argument("--load-only", action="store_true", help="stop when all lines are loaded")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="run all sizes, and draw the CPU a job into this SVG")
    parser.add_argument("--sizes", type=_counts, default=_SIZES, help="with --plot: 10000,100000,1000000")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to this file too")
    return parser


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


def _plan(options: argparse.Namespace, lines: int) -> MillionPlan:
    return MillionPlan(
        lines=lines,
        batches=options.batches or -(-lines // MOST_FILE_LINES),
        kind=DatabaseKind(options.database),
        workers=options.workers,
        load_only=options.load_only,
    )


if __name__ == "__main__":
    stop_at_sigterm()
    sys.exit(main())
