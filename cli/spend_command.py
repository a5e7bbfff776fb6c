"""`laneway spend`: asks a running server what was spent, and prints it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from cli.admin_api import AdminApi
from cli.provider_table import columns

_SUMS = ("calls", "unknown_calls", "input_tokens", "output_tokens", "cost_usd")
_HEADS = {"unknown_calls": "UNPRICED", "input_tokens": "INPUT", "output_tokens": "OUTPUT", "cost_usd": "COST $"}


def show(server: AdminApi, asked: Mapping[str, str | None], *, as_json: bool, as_csv: bool) -> None:
    """Print a report: a table for people, CSV, or one JSON object a line. `asked` are parameters of `/v1/usage`."""
    query = {name: value for name, value in asked.items() if value}
    if as_csv:
        print(server.text(f"/v1/usage?{urlencode(query | {'format': 'csv'})}"), end="")
        return
    found = server.ask("GET", f"/v1/usage?{urlencode(query)}")
    for line in map(json.dumps, found["data"]) if as_json else spend_lines(found):
        print(line)


def spend_lines(found: Mapping[str, Any]) -> list[str]:
    """The table: one line a group, then the sum of all."""
    rows: Sequence[Mapping[str, Any]] = found["data"]
    if not rows:
        return [f"nothing was spent from {found['start']} to {found['end']}"]
    groups = [name for name in rows[0] if name not in found["total"]]
    head = [name.removesuffix("_id").upper() for name in groups] + [_HEADS.get(name, name.upper()) for name in _SUMS]
    table = [[str(row[name] or "-") for name in groups] + _figures(row) for row in rows]
    last = [["total", *[""] * (len(groups) - 1), *_figures(found["total"])]] if groups else []
    return columns([tuple(line) for line in (head, *table, *last)])


def _figures(row: Mapping[str, Any]) -> list[str]:
    return [str(row[name]) for name in _SUMS]
