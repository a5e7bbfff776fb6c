"""Processes under measurement: which of Laneway's processes is which, and what each has used."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil


class Role(StrEnum):
    """What a process of Laneway does, told by its command line."""

    SUPERVISOR = "supervisor"
    """The `laneway up` process itself, with whatever runs inside it."""
    API = "api"
    WORKER = "worker"
    VALKEY = "valkey"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one process has used up to now."""

    pid: int
    role: Role
    user_s: float
    system_s: float
    peak_rss_bytes: int
    """Largest resident size so far where the system keeps it (Linux), else the present one."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the processes of one role used between two readings."""

    role: Role
    processes: int
    user_s: float
    system_s: float
    peak_rss_bytes: int
    """Peak of the largest process since its start."""

    def cpu_us_per(self, jobs: int) -> float:
        """Return user and system time per job in microseconds."""
        return (self.user_s + self.system_s) * 1e6 / jobs


def read_all(root_pid: int) -> dict[int, Reading]:
    """Read the process and all its descendants, by pid; those that end meanwhile are left out."""
    root = psutil.Process(root_pid)
    readings: dict[int, Reading] = {}
    for process in [root, *root.children(recursive=True)]:
        try:
            role = Role.SUPERVISOR if process.pid == root_pid else role_of(process.cmdline())
            times = process.cpu_times()
            readings[process.pid] = Reading(process.pid, role, times.user, times.system, peak_rss_bytes(process))
        except psutil.Error:
            continue
    return readings


def costs(before: Mapping[int, Reading], after: Mapping[int, Reading]) -> list[Cost]:
    """Return what each role used between two readings; a process not in the first one counts from zero."""
    spent = []
    for role in Role:
        members = [reading for reading in after.values() if reading.role is role]
        if members:
            user = sum(one.user_s - (before[one.pid].user_s if one.pid in before else 0.0) for one in members)
            system = sum(one.system_s - (before[one.pid].system_s if one.pid in before else 0.0) for one in members)
            peak = max(one.peak_rss_bytes for one in members)
            spent.append(Cost(role, len(members), user, system, peak))
    return spent


def sum_costs(spent: Iterable[Cost]) -> list[Cost]:
    """Add up what each role used in several spans of time."""
    by_role: dict[Role, list[Cost]] = {}
    for cost in spent:
        by_role.setdefault(cost.role, []).append(cost)
    return [
        Cost(
            role,
            max(each.processes for each in costs),
            sum(each.user_s for each in costs),
            sum(each.system_s for each in costs),
            max(each.peak_rss_bytes for each in costs),
        )
        for role, costs in by_role.items()
    ]


def role_of(command: Iterable[str]) -> Role:
    """Tell a child's role from its command line."""
    words = [Path(word).name for word in command]
    if words and words[0].startswith(("valkey", "redis")):
        return Role.VALKEY
    arguments = {part for word in words[1:] for part in word.replace(".", " ").replace("-", " ").split()}
    if arguments & {"worker", "workers"}:
        return Role.WORKER
    return Role.API if arguments & {"serve", "api"} else Role.OTHER


def peak_rss_bytes(process: psutil.Process) -> int:
    """Return a process's largest resident size so far in bytes."""
    if sys.platform == "linux":
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1_024
    return int(process.memory_info().rss)
