"""The data directory: private to its owner, used by one `laneway up` at a time."""

import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType

from cli.failure import CommandError

_LOCK = "lock"


def prepare_data_dir(path: Path) -> str | None:
    """Make the directory, 0700. Returns a warning when it exists, is open to others, and is not ours to close.

    A directory that holds other things is never changed: `--data-dir /tmp` must not lock everybody out of it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.stat()
    except OSError as error:
        raise CommandError(
            f"cannot use the data directory {path}: {error.strerror}; choose another --data-dir"
        ) from None
    if not path.is_dir():
        raise CommandError(f"cannot use the data directory {path}: it is not a directory; choose another --data-dir")
    if not stat.S_IMODE(mode.st_mode) & 0o077:
        return None
    ours = (path / _LOCK).exists() or not any(path.iterdir())
    if mode.st_uid != os.geteuid() or not ours:
        return f"the data directory {path} is open to other users: chmod 700 it, or choose another --data-dir"
    path.chmod(0o700)
    return None


class DirectoryLock:
    """Holds a data directory for this process; the system lets go of it however the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock; raises CommandError, naming the holder, when another process has it."""
        self._handle = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._handle, 20, 0).decode(errors="replace").strip()
            os.close(self._handle)
            raise CommandError(
                f"another `laneway up` (pid {holder or 'unknown'}) uses {folder}: stop it, or choose another --data-dir"
            ) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the directory back. The file stays: removing it would let two processes lock two files."""
        os.close(self._handle)

    def __enter__(self) -> "DirectoryLock":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, text.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    temporary.replace(path)
