"""A program bound to its parent's life: `python -I -S deathbound.py PARENT_PID SIGNAL PROGRAM ARGUMENT...`.

It asks the Linux kernel for SIGNAL at the parent's death and then becomes PROGRAM; the request outlives the exec. So
nothing that a supervisor started survives its SIGKILL. Elsewhere it only becomes PROGRAM. Run as a file of its own, it
imports nothing of ours and costs about 15 ms.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Bind this process, then become the program; exits 1 when the parent is gone already."""
    parent, number, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit(1)
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
