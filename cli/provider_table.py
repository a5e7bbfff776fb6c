"""The tables of `laneway providers`, for people: one provider a line."""

from collections.abc import Mapping, Sequence
from typing import Any

_WORDS = {
    "tools": "tools",
    "json_schema": "json",
    "embeddings": "embed",
}
"""Capability -> its word in the table; chat and streams go without saying."""


def list_lines(providers: Sequence[Mapping[str, Any]], *, everything: bool) -> list[str]:
    """The table of `list`: what is on, from where, and with `everything` how to switch on the rest."""
    rows: list[tuple[str, ...]] = [("NAME", "DIALECT", "FROM", "KEY", "CAN", "ADDRESS")]
    rows += [_on(each) for each in providers if each["on"]]
    lines = columns(rows) if len(rows) > 1 else ["no provider is switched on"]
    off = [each for each in providers if not each["on"]]
    if everything:
        lines += ["", *columns([("OFF", "DIALECT", "CAN", "TO SWITCH ON"), *map(_off, off)])]
    return lines


def check_lines(checks: Sequence[Mapping[str, Any]]) -> list[str]:
    """The table of `check`."""
    rows: list[tuple[str, ...]] = [("NAME", "ANSWER", "MS", "")]
    for each in checks:
        took = "-" if each["duration_ms"] is None else str(each["duration_ms"])
        rows.append((each["name"], each["verdict"].replace("_", " "), took, " ".join(each["message"].split())))
    return columns(rows) if checks else ["no provider is switched on"]


def _on(each: Mapping[str, Any]) -> tuple[str, ...]:
    return (each["name"], each["dialect"], each["origin"], each["credential"] or "-", _can(each), each["base_url"])


def _off(each: Mapping[str, Any]) -> tuple[str, ...]:
    return (each["name"], each["dialect"], _can(each), each["to_switch_on"])


def _can(each: Mapping[str, Any]) -> str:
    return ",".join(word for name, word in _WORDS.items() if each["capabilities"][name]) or "?"


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Pad all columns but the last to their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
