"""A profile of a process: py-spy's samples, summed by function."""

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_LIMIT_S: Final = 600


@dataclass(frozen=True, slots=True)
class Profile:
    """A running py-spy."""

    process: "subprocess.Popen[bytes]"
    path: Path

    @classmethod
    def start(cls, pid: int, duration_s: int) -> Self:
        """Sample a process for some seconds, 200 times each; it must belong to this user.

        Only the thread that holds the interpreter's lock is counted: threads asleep in a queue would drown the rest.
        Time in C code that lets go of the lock (a commit, a system call) is therefore missing.
        """
        path = Path(tempfile.mkdtemp(prefix="lw-profile-")) / "stacks.txt"
        spy = str(Path(sys.executable).with_name("py-spy"))
        command = [spy, "record", "--pid", str(pid), "--duration", str(duration_s), "--rate", "200"]
        command += ["--function", "--gil", "--format", "raw", "--output", str(path)]
        return cls(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), path)

    def top(self, count: int = 25) -> list[tuple[str, float]]:
        """Wait for the end and return the functions with the most self time, each with its share of all samples."""
        if self.process.wait(_LIMIT_S) != 0 or not self.path.exists():
            raise RuntimeError("py-spy recorded nothing: it may need more rights, or the process has ended")
        stacks = self.path.read_text()
        shutil.rmtree(self.path.parent)
        return self_times(stacks, count)


def self_times(stacks: str, count: int) -> list[tuple[str, float]]:
    """Sum stacks of the form `outer;inner 12` by their innermost function; returns (function, share), largest first."""
    samples: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, number = line.rpartition(" ")
        samples[frames.rpartition(";")[2]] += int(number)
    total = samples.total() or 1
    return [(function, number / total) for function, number in samples.most_common(count)]
