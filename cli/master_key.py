"""The master key: the operator's credential. It comes from the environment, the configuration or the data directory.

It is never in the database. Off the loopback a strong one is required; `up` makes one only for the loopback.
"""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cli.data_dir import write_private
from cli.failure import CommandError
from cli.loopback import is_loopback
from cli.settings import Settings

MIN_CHARACTERS = 32
FILE = "master_key"
_SAMPLES = frozenset({"sk-1234", "sk-12345", "changeme", "change-me", "secret", "password", "master", "admin", "test"})
_HOW_TO = 'set LANEWAY_MASTER_KEY to at least 32 random characters, e.g. "$(openssl rand -hex 32)"'


@dataclass(frozen=True, slots=True)
class MasterKey:
    """The key that is in force."""

    value: str = field(repr=False)
    origin: str
    """Where it comes from, for people."""
    made: bool = False
    """True when it was made just now and nobody has seen it yet."""
    warning: str | None = None


def find_master_key(settings: Settings, *, make: bool) -> MasterKey:
    """Find the key, or with `make` make one on the loopback. Raises CommandError when it is missing or too weak."""
    local = is_loopback(settings.host)
    file = settings.data_dir / FILE
    if settings.master_key:
        return _checked(settings.master_key, "LANEWAY_MASTER_KEY or server.master_key", settings.host, local)
    if file.exists():
        return _checked(_read(file), str(file), settings.host, local)
    if not local:
        raise CommandError(f"listening on {settings.host} needs a master key: {_HOW_TO}")
    if not make:
        raise CommandError(f"no master key: {_HOW_TO}, or start with `laneway up`, which makes one")
    key = f"lw-master-{secrets.token_urlsafe(32)}"
    write_private(file, key + "\n")
    return MasterKey(key, str(file), made=True)


def _checked(key: str, origin: str, host: str, local: bool) -> MasterKey:
    sample = key.lower() in _SAMPLES
    if not sample and len(key) >= MIN_CHARACTERS and len(set(key)) >= 8:
        return MasterKey(key, origin)
    fault = "a well-known sample" if sample else f"too weak (it needs {MIN_CHARACTERS} characters, not all alike)"
    if not local:
        raise CommandError(f"the master key is {fault}, and {host} can be reached from elsewhere: {_HOW_TO}")
    return MasterKey(key, origin, warning=f"the master key is {fault}: it works on this machine only")


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError as error:
        raise CommandError(f"cannot read the master key in {file}: {error.strerror}") from None
