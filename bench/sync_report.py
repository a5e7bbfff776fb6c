"""The report of the sync side: what Laneway adds to a call, as tables for people and as JSON for machines."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.processes import Role
from bench.report import machine
from bench.sync_run import Rung, Side, SyncResult

_ROLES = (Role.API, Role.WORKER, Role.VALKEY, Role.SUPERVISOR)


@dataclass(frozen=True, slots=True)
class SyncReport:
    """Everything one run measured."""

    latency_ms: int
    result: SyncResult


def show_sync(report: SyncReport) -> None:
    """Print the report as tables."""
    console = Console()
    result = report.result
    what = f"{report.latency_ms} ms on {os.cpu_count()} CPUs, p50 / p99"
    whole = [rung for rung in result.rungs if not rung.stream]
    streams = [rung for rung in result.rungs if rung.stream]
    console.print(_times(f"Whole answers of {what} in ms", whole))
    console.print(_times(f"First chunks of streams of {what} in ms", streams))
    console.print(_spent("CPU of Laneway, µs a request", result.rungs))
    requests = sum(rung.requests for rung in result.rungs)
    checked = f"{requests:,} requests to each side, every answer verified"
    console.print(f"{checked}; load before the run {result.load_before:.1f}", highlight=False, soft_wrap=True)
    for role, functions in result.profiles.items():
        console.print(f"\n{role}: self time")
        for function, share in functions:
            console.print(f"{share:7.1%}  {function}", highlight=False, markup=False)


def write_sync_json(report: SyncReport, path: Path) -> None:
    """Write the report as one JSON object."""
    path.write_text(json.dumps(sync_json(report), indent=2) + "\n")


def sync_json(report: SyncReport) -> dict[str, Any]:
    """Return the report with the machine that it was made on."""
    result = report.result
    return {
        "machine": machine(),
        "latency_ms": report.latency_ms,
        "load_before": result.load_before,
        "sync": [_rung(rung) for rung in result.rungs],
        "profiles": {role: list(functions) for role, functions in result.profiles.items()},
    }


def _rung(rung: Rung) -> dict[str, Any]:
    return {
        "callers": rung.callers,
        "stream": rung.stream,
        "requests": rung.requests,
        "added_p50_ms": rung.added_ms(0.5),
        "added_p99_ms": rung.added_ms(0.99),
        "laneway": _side(rung.laneway),
        "direct": _side(rung.direct),
        "cpu_us_per_request": {role: rung.cpu_us(role) for role in _ROLES},
        "load": rung.load,
    }


def _side(side: Side) -> dict[str, float]:
    return {"p50_ms": side.quantile_ms(0.5), "p99_ms": side.quantile_ms(0.99), "per_s": side.per_s}


def _times(title: str, rungs: Sequence[Rung]) -> Table:
    table = _table(title, ("callers", "direct", "Laneway", "added", "direct/s", "Laneway/s", "load"))
    for rung in rungs:
        pairs = [_pair(each.quantile_ms(0.5), each.quantile_ms(0.99)) for each in (rung.direct, rung.laneway)]
        added = _pair(rung.added_ms(0.5), rung.added_ms(0.99))
        speeds = (f"{rung.direct.per_s:,.0f}", f"{rung.laneway.per_s:,.0f}", f"{rung.load:.1f}")
        table.add_row(str(rung.callers), *pairs, added, *speeds)
    return table


def _pair(p50_ms: float, p99_ms: float) -> str:
    return f"{p50_ms:.1f} / {p99_ms:.1f}"


def _spent(title: str, rungs: Sequence[Rung]) -> Table:
    table = _table(title, ("callers", "answers", *_ROLES, "all but Valkey"))
    for rung in rungs:
        spent = [rung.cpu_us(role) for role in _ROLES]
        ours = sum(spent) - rung.cpu_us(Role.VALKEY)
        kind = "streamed" if rung.stream else "whole"
        table.add_row(str(rung.callers), kind, *[f"{each:,.0f}" for each in (*spent, ours)])
    return table


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right")
    return table
