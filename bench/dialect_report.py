"""The report of the dialect side: what writing and reading costs, as a table for people and as JSON for machines."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.dialect_run import PROMPT_BYTES, DialectCost
from bench.report import machine


def show_dialects(costs: Sequence[DialectCost]) -> None:
    """Print the table."""
    table = Table(title=f"CPU µs a request with a prompt of {PROMPT_BYTES:,} bytes", title_justify="left")
    for column in ("dialect", "encode", "decode", "both", "bytes sent", "bytes read"):
        table.add_column(column, justify="left" if column == "dialect" else "right")
    for cost in costs:
        times = (f"{each:.1f}" for each in (cost.encode_us, cost.decode_us, cost.encode_us + cost.decode_us))
        table.add_row(cost.dialect, *times, f"{cost.request_bytes:,}", f"{cost.answer_bytes:,}")
    Console().print(table)


def write_dialects_json(costs: Sequence[DialectCost], path: Path) -> None:
    """Write the costs, with the machine that they were measured on, as one JSON object."""
    path.write_text(json.dumps({"machine": machine(), "dialects": [asdict(cost) for cost in costs]}, indent=2) + "\n")
