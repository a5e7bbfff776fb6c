"""The report of limits: what was used and who waited, as tables for people and as JSON for machines."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.limits.cases import Result
from bench.limits.saturation import Saturated
from bench.limits.storm import Stormed
from bench.limits.waiting import Waited
from bench.report import machine

_QUANTILES: Final = (0.5, 0.95, 0.99)
_WIDTH: Final = 130


def show_limits(results: Sequence[Result]) -> None:
    """Print a table for each kind of case that was run."""
    console = Console()
    console = Console(width=max(console.width, _WIDTH))
    if saturated := [each for each in results if isinstance(each, Saturated)]:
        console.print(_used(saturated))
    if waited := [each for each in results if isinstance(each, Waited)]:
        console.print(_waits(waited))
    if stormed := [each for each in results if isinstance(each, Stormed)]:
        console.print(_storms(stormed))
    for each in waited:
        console.print(f"{each.case}: {each.note}", highlight=False)


def write_limits_json(results: Sequence[Result], path: Path) -> None:
    """Write the report as one JSON object."""
    path.write_text(json.dumps(limits_json(results), indent=2) + "\n")


def limits_json(results: Sequence[Result]) -> dict[str, Any]:
    """Return the figures of every case with the machine that they were measured on."""
    return {"machine": machine(), "limits": [_figures(each) for each in results]}


def _figures(result: Result) -> dict[str, Any]:
    match result:
        case Saturated():
            names = ("allowed", "accepted", "utilisation", "refused", "refused_share", "peak_ratio")
            return asdict(result) | {name: getattr(result, name) for name in names}
        case Stormed():
            return asdict(result) | {"calls_per_job": result.calls_per_job}
        case Waited():
            sides = {"free": result.free.quantile_ms, "hindered": result.hindered.quantile_ms, "added": result.added_ms}
            return {"case": result.case, "calls": result.calls, "note": result.note} | {
                f"{name}_p{round(100 * share)}_ms": of(share) for name, of in sides.items() for share in _QUANTILES
            }


def _used(results: Sequence[Saturated]) -> Table:
    columns = ("allowed", "accepted", "used", "429", "429 share", "fullest 60 s / limit", "measured s", "")
    rows = (
        (
            each.case,
            f"{each.allowed:,.0f}",
            f"{each.accepted:,}",
            f"{each.utilisation:.1%}",
            f"{each.refused:,}",
            f"{each.refused_share:.2%}",
            f"{each.peak_ratio:.1%}",
            f"{each.measured_s:.0f}",
            "ran dry" if each.ran_dry else "",
        )
        for each in results
    )
    return _table(f"Two providers' limits, on {os.cpu_count()} CPUs", columns, rows)


def _waits(results: Sequence[Waited]) -> Table:
    rows = (
        (
            each.case,
            f"{each.calls:,}",
            _triple(each.free.quantile_ms(share) for share in _QUANTILES),
            _triple(each.hindered.quantile_ms(share) for share in _QUANTILES),
            _triple(each.added_ms(share) for share in _QUANTILES),
        )
        for each in results
    )
    return _table("Times of single calls in ms, p50 / p95 / p99", ("calls", "free", "hindered", "added"), rows)


def _storms(results: Sequence[Stormed]) -> Table:
    columns = ("jobs", "completed", "storm s", "calls", "calls a job", "calls/s in the storm", "s after it")
    rows = (
        (
            each.case,
            f"{each.jobs:,}",
            f"{each.completed:,}",
            f"{each.storm_s:.0f}",
            f"{each.calls:,}",
            f"{each.calls_per_job:.2f}",
            f"{each.calls_per_s_in_storm:.1f}",
            f"{each.after_s:.1f}",
        )
        for each in results
    )
    return _table("429 to every call for a while", columns, rows)


def _triple(times_ms: Iterable[float]) -> str:
    return " / ".join(f"{each:.1f}" for each in times_ms)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table whose first column is the case's name."""
    table = Table(title=title, title_justify="left")
    table.add_column("case")
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    return table
