"""The embedded Valkey: private, durable, never evicting; and what is asked of a Redis that somebody else runs."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from cli import valkey
from cli.failure import CommandError
from cli.redis_server import check_redis
from cli.valkey import ValkeyServer, find_valkey
from tests.laneway_up import alive, wait_for
from tests.server_process import ServerProcess, make_folder, remove_folder
from tests.valkey_server import ValkeyServer as PrivateValkey


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path short enough for a socket."""
    folder = make_folder()
    yield folder
    remove_folder(folder)


async def started(server: ValkeyServer, log: Path) -> ServerProcess:
    await server.prepare()
    log.mkdir(exist_ok=True)
    process = ServerProcess(server.to_run().command, folder=log)
    await asyncio.wait_for(server.wait_ready(), 60)
    return process


async def test_it_is_private_durable_and_never_evicts(short: Path, tmp_path: Path) -> None:
    server = find_valkey(short)
    assert server.origin == "embedded"
    process = await started(server, tmp_path / "log")
    try:
        with redis.Redis.from_url(server.broker_url) as client:
            settings = client.config_get()
            assert (settings["port"], settings["maxmemory-policy"], settings["save"]) == ("0", "noeviction", "")
            assert (settings["appendonly"], settings["appendfsync"]) == ("yes", "everysec")
            client.set("kept", "yes")
        with redis.Redis.from_url(server.state_url) as client:
            assert client.get("kept") is None  # another database
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
        assert server.to_run().environ.keys() == {"PATH", "LC_ALL"}
        process.end(signal.SIGKILL)
        process = await started(server, tmp_path / "log")  # the stale socket is in nobody's way
        with redis.Redis.from_url(server.broker_url) as client:
            assert client.get("kept") == b"yes"
    finally:
        process.end(signal.SIGTERM)
    server.clear_away()
    assert not server.socket.exists()
    assert (server.folder / "appendonlydir").is_dir()


async def test_a_server_left_behind_by_a_killed_up_is_ended_with_its_data_kept(short: Path, tmp_path: Path) -> None:
    server = find_valkey(short)
    orphan = await started(server, tmp_path / "log")
    try:
        with redis.Redis.from_url(server.broker_url) as client:
            client.set("kept", "yes")
        await server.prepare()
        orphan.wait_until(lambda: not orphan.running() or not server.socket.exists(), timeout_s=60)
        process = await started(server, tmp_path / "log2")
        with redis.Redis.from_url(server.broker_url) as client:
            assert client.get("kept") == b"yes"
        process.end(signal.SIGTERM)
    finally:
        orphan.end(signal.SIGKILL)


async def test_a_long_data_directory_gets_a_short_private_socket(tmp_path: Path) -> None:
    server = find_valkey(tmp_path / ("d" * 110))
    assert len(os.fsencode(server.socket)) <= 100
    assert server.socket == find_valkey(tmp_path / ("d" * 110)).socket
    assert server.socket != find_valkey(tmp_path / ("e" * 110)).socket
    process = await started(server, tmp_path / "log")
    try:
        assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
    finally:
        process.end(signal.SIGTERM)
    server.clear_away()
    assert not server.socket.parent.exists()
    assert (server.folder / "appendonlydir").is_dir()


async def test_a_socket_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    server = find_valkey(tmp_path / ("d" * 110))
    server.socket.parent.mkdir(mode=0o755)
    try:
        with pytest.raises(CommandError, match="0700"):
            await server.prepare()
    finally:
        server.socket.parent.rmdir()


async def test_a_server_on_path_is_taken_where_the_wheel_has_none(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = find_valkey(short).program
    monkeypatch.setattr(valkey, "_from_wheel", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="no Valkey or Redis server"):
        find_valkey(short)
    old = tmp_path / "valkey-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.0.16 sha=00000000:0'\n")
    old.chmod(0o755)
    with pytest.raises(CommandError, match=r"6\.2 or newer"):
        find_valkey(short)
    (tmp_path / "redis-server").symlink_to(real)
    server = find_valkey(short)
    assert server.origin == str(tmp_path / "redis-server")
    process = await started(server, tmp_path / "log")
    process.end(signal.SIGTERM)


def test_a_redis_that_may_evict_is_refused(private_valkey: PrivateValkey) -> None:
    state = private_valkey.url.replace("/0", "/1")
    assert check_redis(private_valkey.url, state, allow_eviction=False) is None
    with redis.Redis.from_url(private_valkey.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(CommandError, match="allkeys-lru") as refused:
        check_redis(private_valkey.url, state, allow_eviction=False)
    assert refused.value.code == 2
    assert "allkeys-lru" in (check_redis(private_valkey.url, state, allow_eviction=True) or "")


def test_a_redis_that_cannot_be_used_is_named_by_its_variable(private_valkey: PrivateValkey) -> None:
    url = private_valkey.url
    with pytest.raises(CommandError, match="LANEWAY_REDIS_STATE_URL") as refused:
        check_redis(url, url.replace("/0", "/99"), allow_eviction=False)
    assert refused.value.code == 7
    with pytest.raises(CommandError, match="REDIS_URL is no Redis address") as refused:
        check_redis("localhost:6379", url, allow_eviction=False)
    assert refused.value.code == 2
    with redis.Redis.from_url(url) as client:
        client.config_set("requirepass", "s3cret-word")
    with pytest.raises(CommandError, match="credentials") as refused:
        check_redis(url, url, allow_eviction=False)
    assert refused.value.code == 6
    private_valkey.kill()
    with pytest.raises(CommandError, match="start it, or correct REDIS_URL") as refused:
        check_redis(url, url, allow_eviction=False)
    assert refused.value.code == 7
    assert "s3cret-word" not in str(refused.value)


def test_a_program_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """The kernel's promise on which `up` rests: the binding outlives the exec."""
    launcher = Path(valkey.__file__).with_name("deathbound.py")
    script = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-I', '-S', {str(launcher)!r}, str(os.getpid()), '9',"
        " '/bin/sleep', '600'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    wait_for(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n", what="the exec")
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not alive(child), what="the end of the child")
