"""The command line: quick to answer, and clear about what it refuses."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.listener import listen
from store.schema import migrate
from tests.laneway_up import clean_environ, run_cli

STRONG = "correct-horse-battery-staple-0123456789"
PEPPER = "00112233445566778899aabbccddeeff"
HEAVY = ("sqlalchemy", "fastapi", "dramatiq", "redis", "httpx", "yaml", "alembic", "uvicorn", "aiohttp", "pydantic")


def one_line(stderr: str) -> str:
    """The only line of stderr, which has to be ours."""
    lines = stderr.splitlines()
    assert len(lines) == 1, stderr
    assert lines[0].startswith("laneway: ")
    return lines[0]


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys\nsys.argv = ['laneway', '--help']\nfrom cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n"
        f"    print(end.code, [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=tmp_path,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "0 []"
    assert {"up", "serve", "worker", "migrate", "keys", "version"} <= set(re.findall(r"^  (\w+) ", done.stdout, re.M))


def test_version_is_one_word(tmp_path: Path) -> None:
    done = run_cli(["version"], cwd=tmp_path)
    assert done.returncode == 0
    assert re.fullmatch(r"\d\S*\n", done.stdout)


@pytest.mark.parametrize(
    "arguments", [["--no-such-flag"], ["fly"], ["up", "--workers", "0"], ["up", "--port", "99999"]]
)
def test_wrong_usage_is_exit_2(arguments: list[str], tmp_path: Path) -> None:
    done = run_cli(arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.test"])
@pytest.mark.parametrize("key", [None, "sk-1234", "changeme", "short", "a" * 40])
def test_off_the_loopback_a_strong_master_key_is_needed(host: str, key: str | None, tmp_path: Path) -> None:
    from cli.data_dir import prepare_data_dir
    from cli.failure import CommandError
    from cli.master_key import find_master_key
    from cli.settings import Flags, load_settings

    environ = {} if key is None else {"LANEWAY_MASTER_KEY": key}
    settings = load_settings(Flags(data_dir=tmp_path / "d", host=host), environ)
    prepare_data_dir(settings.data_dir)
    with pytest.raises(CommandError, match="LANEWAY_MASTER_KEY") as refused:
        find_master_key(settings, make=True)
    assert refused.value.code == 2
    assert host in str(refused.value)
    assert list(settings.data_dir.iterdir()) == []
    strong = load_settings(Flags(data_dir=tmp_path / "d", host=host), {"LANEWAY_MASTER_KEY": STRONG})
    assert find_master_key(strong, make=True).value == STRONG


@pytest.mark.parametrize("key", ["", "sk-1234"])
def test_up_off_the_loopback_without_a_strong_key_is_exit_2(key: str, tmp_path: Path) -> None:
    done = run_cli(
        ["up", "--host", "0.0.0.0", "--port", "0"], cwd=tmp_path, environ={"LANEWAY_MASTER_KEY": key} if key else None
    )
    assert done.returncode == 2
    assert "LANEWAY_MASTER_KEY" in one_line(done.stderr)
    assert not (tmp_path / ".laneway" / "run.json").exists()


def test_the_configuration_is_refused_with_the_line_or_the_nearest_word(tmp_path: Path) -> None:
    config = tmp_path / "laneway.yaml"
    config.write_text("providers: {\n")
    done = run_cli(["migrate", "--config", str(config)], cwd=tmp_path)
    assert done.returncode == 2
    assert "not valid YAML" in one_line(done.stderr)
    config.write_text("provders: {}\nserver: {lisen: 1}\n")
    done = run_cli(["migrate", "--config", str(config)], cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'providers'?" in done.stderr
    assert "did you mean 'listen'?" in done.stderr
    done = run_cli(["migrate", "--config", "nowhere.yaml"], cwd=tmp_path)
    assert done.returncode == 2
    assert "nowhere.yaml" in one_line(done.stderr)


def parts(tmp_path: Path, redis_url: str) -> dict[str, str]:
    """An environment in which `serve` and `worker` find everything."""
    return {
        "LANEWAY_DATA_DIR": str(tmp_path / "data"),
        "DATABASE_URL": f"sqlite:///{tmp_path}/laneway.db",
        "REDIS_URL": redis_url,
        "LANEWAY_MASTER_KEY": STRONG,
        "LANEWAY_PEPPER": PEPPER,
    }


@pytest.mark.parametrize("verb", ["serve", "worker"])
def test_an_old_schema_is_refused_naming_migrate(verb: str, tmp_path: Path, redis_url: str) -> None:
    done = run_cli([verb], cwd=tmp_path, environ=parts(tmp_path, redis_url))
    assert done.returncode == 2
    assert "laneway migrate" in one_line(done.stderr)
    assert not (tmp_path / "laneway.db").exists()


@pytest.mark.parametrize("verb", ["serve", "worker"])
def test_a_missing_or_different_pepper_is_refused(verb: str, tmp_path: Path, redis_url: str) -> None:
    environ = parts(tmp_path, redis_url)
    migrate(environ["DATABASE_URL"])
    done = run_cli([verb], cwd=tmp_path, environ={**environ, "LANEWAY_PEPPER": ""})
    assert done.returncode == 2
    assert "LANEWAY_PEPPER" in one_line(done.stderr)
    assert run_cli(["keys", "create", "first"], cwd=tmp_path, environ=environ).returncode == 0
    done = run_cli([verb, *(["--port", "0"] if verb == "serve" else [])], cwd=tmp_path,
                   environ={**environ, "LANEWAY_PEPPER": PEPPER[::-1]})  # fmt: skip
    assert done.returncode == 2
    assert "the pepper is not the one" in done.stderr
    assert PEPPER not in done.stderr + done.stdout


def test_a_queue_that_no_provider_has_is_refused(tmp_path: Path, redis_url: str) -> None:
    environ = {**parts(tmp_path, redis_url), "LANEWAY_SIMULATOR_URL": "http://127.0.0.1:9/v1"}
    migrate(environ["DATABASE_URL"])
    done = run_cli(["worker", "--queues", "simulator.btach"], cwd=tmp_path, environ=environ)
    assert done.returncode == 2
    assert "did you mean 'simulator.batch'?" in done.stderr


def test_without_redis_url_the_parts_say_so(tmp_path: Path) -> None:
    environ = {**parts(tmp_path, ""), "REDIS_URL": ""}
    done = run_cli(["worker"], cwd=tmp_path, environ=environ)
    assert done.returncode == 2
    assert "REDIS_URL" in one_line(done.stderr)


def test_a_database_that_is_away_is_exit_7(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": "postgresql://nobody:s3cret-word@127.0.0.1:1/nothing"}
    done = run_cli(["migrate"], cwd=tmp_path, environ=environ)
    assert done.returncode == 7
    assert "DATABASE_URL" in one_line(done.stderr)
    assert "s3cret-word" not in done.stderr


def test_a_foreign_directory_is_never_closed_to_others(tmp_path: Path) -> None:
    from cli.data_dir import prepare_data_dir

    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "someone-elses-file").touch()
    assert "chmod 700" in (prepare_data_dir(shared) or "")
    assert shared.stat().st_mode & 0o777 == 0o777
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o755)
    assert prepare_data_dir(empty) is None
    assert empty.stat().st_mode & 0o777 == 0o700


def test_a_listener_can_be_had_on_every_kind_of_loopback_address() -> None:
    for host in ("127.0.0.1", "localhost"):
        with listen(host, 0) as listener:
            assert listener.getsockname()[1] > 0
            assert os.get_inheritable(listener.fileno()) is False
